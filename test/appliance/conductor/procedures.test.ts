import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PROCEDURES } from '../../../appliance/conductor/procedure-list.ts'
import { parseAskedSteps } from '../../../appliance/conductor/procedures/request.ts'
import type { Procedure } from '../../../appliance/conductor/steps/procedure.ts'
import type { DeployPlugin, Json, Step } from '../../../appliance/plugin-api/index.ts'
import { startTrial } from './trial.ts'

/** What somebody adds who wants another procedure: this row, in the place of the appliance's own, and its states. */
const SERVICE: Procedure = {
  kind: 'service',
  verbs: {
    service: async (_parts, _node, { service_steps = [] }) => ({
      internal: { user_service_steps: parseAskedSteps('service_steps', 'asked', service_steps) },
    }),
  },
  timeout: 'clean_callback_timeout',
  words: {
    step: 'Service step',
    again: 'Service again.',
    ended: 'The service has ended.',
    failedBefore: () => 'Preparing the service failed: ',
    timeout: (_node, { limit_s, missing }) => `No sign of life for ${limit_s} s: ${missing}`,
    aborted: () => 'The service was aborted.',
  },
  rules: () => ({ steps: 'asked', tells_abortable: true }),
  pluginSteps: () => [BLINK, BREAK, WAIT],
  open: async () => ({ done: true }),
  finish: async (_parts, node) => void (await node.move('done', { error: null, service_step: {} })),
  endFailure: async (_parts, node) => void (await node.update({ internal: { service_cleanup_pending: undefined } })),
  isAbortable: ({ service_step }) => service_step.abortable === true,
}
const step = (name: string, run: Step['run'], more: Partial<Step> = {}): Step => ({
  step: name,
  priority: 0,
  run,
  ...more,
})
const OTHERS = PROCEDURES.filter(({ kind }) => kind !== 'service')
const blinks: Json[] = []
const BLINK = step('blink', async (_task, args) => ({ done: blinks.push(args) > 0 }) as { done: true }, {
  argsInfo: { times: { description: 'How often.' } },
})
const BREAK = step('break', async () => {
  throw new Error('the fan stands still')
})
const WAIT = step('wait', async () => ({ wait: 'callback' }), { abortable: true })

const PLUGIN: DeployPlugin = {
  apiVersion: '1',
  name: 'direct',
  options: {},
  usesAgent: false,
  validate: async () => {},
  deploySteps: () => [],
}

describe('a procedure that somebody adds to the list', () => {
  const start = async (t: Parameters<typeof startTrial>[0]) => {
    const trial = await startTrial(t, { procedures: [...OTHERS, SERVICE] })
    const { uuid } = await trial.createNode({ provision_state: 'active' })
    const service = (...names: [string, Json?][]) =>
      trial.conductor.provision(uuid, {
        target: 'service',
        service_steps: names.map(([name, args = {}]) => ({ interface: 'deploy', step: name, args })),
      })
    return { trial, uuid, service }
  }

  it('runs the steps that were asked for, in their order, and leaves the node where it began', async (t) => {
    const { trial, uuid, service } = await start(t)

    await service(['blink', { times: 3 }], ['blink', { times: 1 }])
    const node = await trial.untilState(uuid, 'active')

    assert.deepEqual(blinks, [{ times: 3 }, { times: 1 }])
    assert.deepEqual(trial.states(), ['servicing', 'active'])
    assert.deepEqual([node.service_step, node.last_error], [{}, null])
  })

  it('fails with the step and its reason', async (t) => {
    const { trial, uuid, service } = await start(t)

    await service(['break'], ['blink'])
    const { last_error } = await trial.untilState(uuid, 'service failed')

    assert.equal(
      last_error,
      'Service step deploy.break failed: the deploy interface direct threw Error: the fan stands still',
    )
  })

  it('refuses a step that nobody has', async (t) => {
    const { trial, uuid, service } = await start(t)

    await service(['sing'])
    const { last_error } = await trial.untilState(uuid, 'service failed')

    assert.match(String(last_error), /does not support this service step: deploy.sing/)
  })

  it('waits, shows its step, and is aborted', async (t) => {
    const { trial, uuid, service } = await start(t)

    await service(['wait'])
    const waiting = await trial.untilState(uuid, 'service wait')
    await trial.conductor.provision(uuid, { target: 'abort' })
    const { last_error } = await trial.untilState(uuid, 'service failed')

    assert.deepEqual(waiting.service_step, { interface: 'deploy', step: 'wait', priority: 0, abortable: true })
    assert.equal(last_error, 'The service was aborted.')
  })
})

describe("steps of a node's interfaces", () => {
  it('run by priority in the procedures that they are of, power before management', async (t) => {
    const done = async () => ({ done: true as const })
    const bmc = {
      steps: [
        { step: 'set_fans', of: ['deploy'] as const, priority: 50, run: done },
        { step: 'reset_bmc', of: ['clean'] as const, priority: 99, run: done },
      ],
    }
    const plugin = {
      ...PLUGIN,
      deploySteps: () => [step('write', done, { priority: 80 }), step('end', done, { priority: 20 })],
    }
    const trial = await startTrial(t, { bmc, plugins: [plugin] })
    const { uuid } = await trial.createNode()

    await trial.conductor.provision(uuid, { target: 'active' })
    await trial.untilState(uuid, 'active')

    assert.deepEqual(trial.steps(), ['deploy.write', 'power.set_fans', 'management.set_fans', 'deploy.end'])
  })

  it('run in a procedure that is added later, when they name it', async (t) => {
    const done = async () => ({ done: true as const })
    const bmc = {
      steps: [
        { step: 'blink_led', of: ['service'] as const, priority: 0, run: done },
        { step: 'set_fans', of: ['deploy'] as const, priority: 50, run: done },
      ],
    }
    const trial = await startTrial(t, { bmc, procedures: [...OTHERS, SERVICE] })
    const { uuid } = await trial.createNode({ provision_state: 'active' })
    const service_steps = [{ interface: 'power', step: 'blink_led' }]

    await trial.conductor.provision(uuid, { target: 'service', service_steps })
    await trial.untilState(uuid, 'active')
    await trial.conductor.provision(uuid, {
      target: 'service',
      service_steps: [{ interface: 'power', step: 'set_fans' }],
    })
    const { last_error } = await trial.untilState(uuid, 'service failed')

    assert.deepEqual(trial.steps(), ['power.blink_led'])
    assert.match(String(last_error), /does not support this service step: power\.set_fans/)
  })
})
