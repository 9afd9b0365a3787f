import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Json } from '../../../appliance/plugin-api/index.ts'
import type { Node } from '../../../appliance/records/kinds/node.ts'
import { offer } from './cleaning.ts'
import { FakeAgent, type FakeAgentOptions } from './fake-agent.ts'
import { bmcByHand, MAC, startTrial, type TrialOptions } from './trial.ts'

type Given = TrialOptions & { agent?: Partial<FakeAgentOptions>; fields?: Partial<Node> }
const BLINK = {
  step: 'blink',
  of: ['service', 'clean', 'deploy'],
  priority: 0,
  run: async () => ({ done: true as const }),
} as const

async function start(t: TestContext, given: Given = {}) {
  const { hand, driver } = bmcByHand()
  hand.state = 'power on'
  const trial = await startTrial(t, { bmc: { ...driver, steps: [BLINK] }, ...given })
  const agent = new FakeAgent({ mac: MAC, services: [offer('flash', 0)], cleans: [offer('scrub', 0)], ...given.agent })
  t.after(() => agent.close())
  const { uuid } = await trial.createNode({ provision_state: 'active', power_state: 'power on', ...given.fields })
  const ask = (target: string, more: Json = {}) => trial.conductor.provision(uuid, { target, ...more })
  return { trial, agent, uuid, hand, ask }
}
/** `wait 3` has seconds. */
const stepsOf = (...names: string[]) =>
  names.map((name) => {
    const [key = '', seconds] = name.split(' ')
    const [of, step] = key.split('.')
    return { interface: of, step, ...(seconds === undefined ? {} : { args: { seconds: Number(seconds) } }) }
  })

describe('a step hold', () => {
  it('gives the operator the word, who has the node go on by unhold', async (t) => {
    const { trial, uuid, ask } = await start(t)

    await ask('service', { service_steps: stepsOf('power.blink', 'deploy.hold', 'management.blink') })
    const held = await trial.untilState(uuid, 'service hold')
    await ask('unhold')
    const node = await trial.untilState(uuid, 'active')

    assert.deepEqual(held.service_step, { interface: 'deploy', step: 'hold', priority: 0, abortable: true })
    assert.deepEqual([held.target_provision_state, held.wait], ['active', null])
    assert.deepEqual(trial.steps(), ['power.blink', 'deploy.hold', 'management.blink'])
    assert.deepEqual(trial.states(), ['servicing', 'service hold', 'service wait', 'servicing', 'active'])
    assert.deepEqual([node.service_step, node.wait, node.last_error], [{}, null, null])
  })

  it('keeps the agent, whose heartbeats change nothing', async (t) => {
    const { trial, agent, uuid, ask } = await start(t, { fields: { provision_state: 'manageable' } })

    await ask('clean', { clean_steps: stepsOf('deploy.hold', 'deploy.scrub') })
    await trial.untilState(uuid, 'clean wait')
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'clean hold')
    await agent.beat(trial.conductor)
    assert.equal(trial.conductor.machineBootOf(MAC).kind, 'agent')
    await ask('unhold')
    await trial.untilState(uuid, 'manageable')

    assert.deepEqual(agent.given, ['get_clean_steps', 'scrub'])
  })

  it('stands in a deploy where its priority says, more than once', async (t) => {
    const { trial, agent, uuid, ask } = await start(t, { fields: { provision_state: 'available' } })
    const hold = (priority: number) => ({ interface: 'deploy', step: 'hold', args: {}, priority })

    await ask('active', { deploy_steps: [hold(70), hold(150)] })
    await trial.untilState(uuid, 'deploy hold')
    assert.deepEqual(trial.steps(), ['deploy.hold'])
    await ask('unhold')
    await trial.untilState(uuid, 'wait call-back')
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'deploy hold')
    await ask('unhold')
    await trial.untilState(uuid, 'active')

    assert.deepEqual(trial.steps().slice(0, 4), ['deploy.hold', 'deploy.deploy', 'deploy.write_image', 'deploy.hold'])
  })

  for (const [verb, from, held, ends, says] of [
    [
      'clean',
      'manageable',
      'clean hold',
      'clean failed',
      /^By request, the clean operation was aborted during .*"power\.hold"$/,
    ],
    [
      'service',
      'active',
      'service hold',
      'active',
      /^By request, the service operation was aborted during .*"power\.hold"$/,
    ],
    ['active', 'available', 'deploy hold', 'deploy failed', /^The deploy of node .* was aborted on request\.$/],
  ] as const) {
    it(`of "${held}" is ended by abort`, async (t) => {
      const { trial, uuid, ask } = await start(t, { fields: { provision_state: from } })
      const steps =
        verb === 'active'
          ? { deploy_steps: [{ interface: 'power', step: 'hold', args: {}, priority: 200 }] }
          : { [`${verb}_steps`]: stepsOf('power.hold'), disable_ramdisk: true }

      await ask(verb, steps)
      await trial.untilState(uuid, held)
      await ask('abort')
      const { last_error } = await trial.untilState(uuid, ends)

      assert.match(String(last_error), says)
    })
  }

  it('survives a restart, held and just let go', async (t) => {
    const { trial, uuid, ask } = await start(t)
    await ask('service', { service_steps: stepsOf('deploy.hold', 'power.blink') })
    await trial.untilState(uuid, 'service hold')

    await trial.conductor.recover()
    assert.equal(trial.node(uuid).provision_state, 'service hold')
    const wait = { for: 'time', deadline: new Date(0).toISOString() } as const
    await trial.store.nodes.update(uuid, { provision_state: 'service wait', wait })
    await trial.conductor.recover()

    await trial.untilState(uuid, 'active')
    assert.deepEqual(trial.steps(), ['deploy.hold', 'power.blink'])
  })

  it('of a service is left by another service', async (t) => {
    const { trial, uuid, ask } = await start(t)
    await ask('service', { service_steps: stepsOf('deploy.hold', 'power.blink') })
    await trial.untilState(uuid, 'service hold')

    await ask('service', { service_steps: stepsOf('management.blink') })
    await trial.untilState(uuid, 'active')

    assert.deepEqual(trial.steps(), ['deploy.hold', 'management.blink'])
  })

  it('stays while the node is in maintenance, and goes on afterwards', async (t) => {
    const { trial, uuid, ask } = await start(t)
    await ask('service', { service_steps: stepsOf('deploy.hold') })
    await trial.untilState(uuid, 'service hold')
    await trial.store.nodes.update(uuid, { maintenance: true })

    await ask('unhold')
    await trial.untilState(uuid, 'service wait')
    await trial.conductor.checkDeadlines()
    assert.equal(trial.node(uuid).provision_state, 'service wait')
    await trial.store.nodes.update(uuid, { maintenance: false })
    await trial.conductor.checkDeadlines()

    await trial.untilState(uuid, 'active')
  })
})

describe('a step wait', () => {
  it('waits for as many seconds', async (t) => {
    const { trial, uuid, ask } = await start(t)

    await ask('service', { service_steps: stepsOf('deploy.wait 1', 'power.blink') })
    const { wait } = await trial.untilState(uuid, 'service wait')
    const before = performance.now()
    await trial.untilState(uuid, 'active')

    assert.equal(wait?.for, 'time')
    assert.ok(performance.now() - before > 500)
    assert.deepEqual(trial.steps(), ['deploy.wait', 'power.blink'])
  })

  it('is cut to [conductor] max_conductor_wait_step_seconds', async (t) => {
    const { trial, uuid, ask } = await start(t, { ini: '[conductor]\nmax_conductor_wait_step_seconds = 0\n' })

    await ask('service', { service_steps: stepsOf('deploy.wait 1000') })
    await trial.untilState(uuid, 'active')

    assert.ok(trial.lines.some(({ asked, seconds }) => asked === 1000 && seconds === 0))
  })

  it('without seconds waits for the next heartbeat', async (t) => {
    const { trial, agent, uuid, ask } = await start(t)

    await ask('service', { service_steps: stepsOf('deploy.flash', 'deploy.wait', 'deploy.flash') })
    await trial.untilState(uuid, 'service wait')
    await agent.boot(trial.conductor)
    await trial.until('the pause', () => trial.node(uuid).wait?.for === 'heartbeat')
    await agent.beat(trial.conductor)
    await trial.untilState(uuid, 'active')

    assert.deepEqual(
      agent.given.filter((name) => name === 'flash'),
      ['flash', 'flash'],
    )
  })
})

describe('steps of power', () => {
  it('switch the machine', async (t) => {
    const { trial, uuid, hand, ask } = await start(t)

    await ask('service', { service_steps: stepsOf('deploy.power_off', 'deploy.power_on', 'power.reboot') })
    const node = await trial.untilState(uuid, 'active')

    assert.deepEqual(hand.switched, ['power off', 'power on', 'rebooting'])
    assert.equal(node.power_state, 'power on')
  })

  it('wait for the agent where the procedure has one', async (t) => {
    const { trial, agent, uuid, hand, ask } = await start(t)

    await ask('service', { service_steps: stepsOf('deploy.flash', 'deploy.reboot', 'deploy.flash') })
    await trial.untilState(uuid, 'service wait')
    await agent.boot(trial.conductor)
    await trial.until('the reboot', () => hand.switched.includes('rebooting'))
    await trial.until(
      'the wait',
      () => trial.node(uuid).wait?.for === 'heartbeat' && trial.node(uuid).reservation === null,
    )
    assert.equal(hand.devices.at(-1), 'pxe false')
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'active')

    assert.deepEqual(agent.given, ['get_service_steps', 'flash', 'get_service_steps', 'flash'])
  })

  it('fail where the machine must not be off', async (t) => {
    const { trial, uuid, ask } = await start(t, { fields: { disable_power_off: true } })

    await ask('service', { service_steps: stepsOf('deploy.power_off') })
    const { last_error } = await trial.untilState(uuid, 'service failed')

    assert.match(String(last_error), /^Service step deploy\.power_off failed: .*has disable_power_off set/)
  })
})

describe('arguments of reserved steps', () => {
  it('are looked at before anything begins', async (t) => {
    const { trial, uuid, ask } = await start(t, { fields: { provision_state: 'manageable' } })
    const refuses = (args: Json, step: string, message: string) =>
      assert.rejects(ask('clean', { clean_steps: [{ interface: 'deploy', step, args }] }), { code: 400, message })

    await refuses(
      { seconds: -1 },
      'wait',
      'clean_steps: seconds of step deploy.wait is -1: a whole number from 0 is expected.',
    )
    await refuses(
      { seconds: 'soon' },
      'wait',
      'clean_steps: seconds of step deploy.wait is "soon": a whole number from 0 is expected.',
    )
    await refuses({ till: 1 }, 'hold', 'clean_steps: step deploy.hold has these unexpected arguments: till')

    assert.equal(trial.node(uuid).provision_state, 'manageable')
  })
})
