import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Json } from '../../../appliance/plugin-api/index.ts'
import type { Node } from '../../../appliance/records/kinds/node.ts'
import { offer } from './cleaning.ts'
import { FakeAgent, type FakeAgentOptions, stepFails } from './fake-agent.ts'
import { bmcByHand, MAC, startTrial, type TrialOptions } from './trial.ts'

const BLINK = { step: 'blink', of: ['service'], priority: 0, run: async () => ({ done: true as const }) } as const
const SCAN = offer('scan_disks', 0, { abortable: true })

async function active(
  t: TestContext,
  given: TrialOptions & { agent?: Partial<FakeAgentOptions>; fields?: Partial<Node> } = {},
) {
  const { hand, driver } = bmcByHand()
  hand.state = 'power on'
  const bmc = { ...driver, steps: [BLINK] }
  const trial = await startTrial(t, { bmc, ...given })
  const agent = new FakeAgent({ mac: MAC, services: [SCAN, offer('flash', 0)], ...given.agent })
  t.after(() => agent.close())
  const { uuid } = await trial.createNode({ provision_state: 'active', power_state: 'power on', ...given.fields })
  const service = (steps: readonly string[], more: Json = {}) =>
    trial.conductor.provision(uuid, {
      target: 'service',
      service_steps: steps.map((name) => {
        const [of, step] = name.split('.')
        return { interface: of, step }
      }),
      ...more,
    })
  const ask = (target: string) => trial.conductor.provision(uuid, { target })
  const ended = () =>
    trial.until('the end of the failure', () => {
      const node = trial.node(uuid)
      return node.driver_internal_info.service_cleanup_pending === undefined && node.reservation === null && node
    })
  return { trial, agent, uuid, hand, service, ask, ended }
}

describe('service of steps that need no agent', () => {
  it('leaves the machine running its instance', async (t) => {
    const { trial, uuid, hand, service } = await active(t)

    await service(['power.blink', 'management.blink'])
    const node = await trial.untilState(uuid, 'active')

    assert.deepEqual(trial.states(), ['servicing', 'active'])
    assert.deepEqual(trial.steps(), ['power.blink', 'management.blink'])
    assert.deepEqual([hand.switched, node.service_step, node.driver_internal_info], [[], {}, {}])
  })
})

describe('service of steps of the agent', () => {
  it('boots the agent, runs them in the order of the request, and starts the instance again', async (t) => {
    const { trial, agent, uuid, hand, service } = await active(t)

    await service(['deploy.flash', 'power.blink', 'deploy.scan_disks', 'deploy.flash'])
    await trial.untilState(uuid, 'service wait')
    await agent.boot(trial.conductor)
    const node = await trial.untilState(uuid, 'active')

    assert.deepEqual(agent.given, ['get_service_steps', 'flash', 'scan_disks', 'flash'])
    assert.deepEqual(trial.steps(), ['deploy.flash', 'power.blink', 'deploy.scan_disks', 'deploy.flash'])
    assert.deepEqual(hand.switched, ['power off', 'power on', 'power off', 'power on'])
    assert.equal(hand.devices.at(-1), 'disk true')
    assert.deepEqual([node.last_error, node.service_step, node.maintenance], [null, {}, false])
    assert.equal(trial.store.boots.get(uuid), undefined)
    const { agent_url, service_steps, service_boots_agent } = node.driver_internal_info
    assert.deepEqual([agent_url, service_steps, service_boots_agent], [undefined, undefined, undefined])
  })

  it('is refused for a step that [api] disallow_service_steps names', async (t) => {
    const { trial, uuid, service } = await active(t, { ini: '[api]\ndisallow_service_steps = deploy.flash\n' })

    await assert.rejects(service(['power.blink', 'deploy.flash']), {
      code: 400,
      message:
        "service step 'deploy.flash' is not allowed. Disallowed by operator configuration [api]disallow_service_steps.",
    })
    assert.equal(trial.node(uuid).provision_state, 'active')
  })

  it('fails where the request has disable_ramdisk set, and boots nothing', async (t) => {
    const { trial, uuid, hand, service } = await active(t)

    await service(['deploy.flash'], { disable_ramdisk: true })
    const { last_error } = await trial.untilState(uuid, 'service failed')

    assert.equal(
      last_error,
      'service step deploy.flash requires booting a ramdisk, and the request has disable_ramdisk set.',
    )
    assert.deepEqual(hand.switched, [])
  })

  it('that fail leave the node in maintenance and the machine as it is', async (t) => {
    const onStep = () => Promise.reject(stepFails('the fan stands still'))
    const { trial, agent, uuid, hand, service, ended } = await active(t, { agent: { onStep } })

    await service(['deploy.flash'])
    await trial.untilState(uuid, 'service wait')
    await agent.boot(trial.conductor)
    const node = await trial.untilState(uuid, 'service failed')
    await ended()

    assert.match(String(node.last_error), /^Service step deploy\.flash failed: .*the fan stands still/)
    assert.deepEqual([node.maintenance, node.fault, node.service_step], [true, 'service failure', {}])
    assert.deepEqual(hand.switched, ['power off', 'power on'])
  })

  it('that failed are aborted when the node is out of maintenance: its instance runs again', async (t) => {
    const onStep = () => Promise.reject(stepFails('the fan stands still'))
    const { trial, agent, uuid, hand, service, ask, ended } = await active(t, { agent: { onStep } })
    await service(['deploy.flash'])
    await trial.untilState(uuid, 'service wait')
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'service failed')
    await ended()

    await assert.rejects(ask('abort'), { code: 409, message: /^Can not abort service on node/ })
    await trial.store.nodes.update(uuid, { maintenance: false, fault: null })
    await ask('abort')
    await trial.untilState(uuid, 'active')
    const { last_error, driver_internal_info } = await ended()

    assert.equal(last_error, 'By request, the service operation was aborted')
    assert.deepEqual(hand.switched, ['power off', 'power on', 'power off', 'power on'])
    assert.equal(driver_internal_info.service_boots_agent, undefined)
  })

  it('that failed leave the machine to the next service, which brings it back to its instance', async (t) => {
    const onStep = () => Promise.reject(stepFails('the fan stands still'))
    const { trial, agent, uuid, hand, service, ended } = await active(t, { agent: { onStep } })
    await service(['deploy.flash'])
    await trial.untilState(uuid, 'service wait')
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'service failed')
    await ended()
    await trial.store.nodes.update(uuid, { maintenance: false, fault: null })

    await service(['power.blink'])
    const node = await trial.untilState(uuid, 'active')

    assert.deepEqual(hand.switched, ['power off', 'power on', 'power off', 'power on'])
    assert.deepEqual([node.last_error, node.driver_internal_info.service_boots_agent], [null, undefined])
  })

  it('are powered off after a failure with [conductor] poweroff_in_servicefail', async (t) => {
    const onStep = () => Promise.reject(stepFails('no'))
    const ini = '[conductor]\npoweroff_in_servicefail = true\n'
    const { trial, agent, uuid, hand, service, ended } = await active(t, { ini, agent: { onStep } })

    await service(['deploy.flash'])
    await trial.untilState(uuid, 'service wait')
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'service failed')
    await ended()

    assert.equal(hand.state, 'power off')
  })

  it('that the agent does not have fail, and the instance is started again', async (t) => {
    const { trial, agent, uuid, hand, service, ended } = await active(t)

    await service(['deploy.sing'])
    await trial.untilState(uuid, 'service wait')
    await agent.boot(trial.conductor)
    const { last_error, maintenance } = await trial.untilState(uuid, 'service failed')
    await ended()

    assert.match(
      String(last_error),
      /^Node failed to start the first service step: .*does not support this service step/,
    )
    assert.equal(maintenance, false)
    assert.deepEqual(hand.switched, ['power off', 'power on', 'power off', 'power on'])
  })
})

describe('abort of a service', () => {
  it('that waits leads through its failure to active, and starts the instance', async (t) => {
    const { trial, uuid, hand, service, ask, ended } = await active(t)

    await service(['deploy.flash'])
    await trial.untilState(uuid, 'service wait')
    await ask('abort')
    await trial.untilState(uuid, 'active')
    const { last_error } = await ended()

    assert.deepEqual(trial.states(), ['servicing', 'service wait', 'service failed', 'active'])
    assert.equal(last_error, 'By request, the service operation was aborted')
    assert.deepEqual(hand.switched, ['power off', 'power on', 'power off', 'power on'])
  })

  it('ends a step first that cannot be aborted', async (t) => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const { trial, agent, uuid, service, ask } = await active(t, { agent: { onStep: () => promise } })
    await service(['deploy.flash', 'deploy.scan_disks'])
    await trial.untilState(uuid, 'service wait')
    await agent.boot(trial.conductor)
    await agent.untilGiven('flash')
    await trial.untilState(uuid, 'service wait')

    await ask('abort')
    assert.equal(trial.node(uuid).service_step.abort_after, true)
    resolve()
    const { last_error } = await trial.untilState(uuid, 'service failed')

    assert.equal(
      last_error,
      'By request, the service operation was aborted during or after the completion of step "deploy.flash"',
    )
    assert.deepEqual(agent.given, ['get_service_steps', 'flash'])
  })
})

describe('service is refused', () => {
  it('in maintenance, and nothing has changed', async (t) => {
    const { trial, uuid, service } = await active(t, { fields: { maintenance: true } })
    const before = trial.node(uuid)

    await assert.rejects(service(['power.blink']), {
      code: 400,
      message: `The service operation can't be performed on node ${uuid} because it's in maintenance mode.`,
    })
    assert.deepEqual(trial.node(uuid), before)
  })
})

describe('service of a node without sign of life', () => {
  it('fails at its deadline, and its instance is started again', async (t) => {
    const ini = '[conductor]\nservice_callback_timeout = 1\n'
    const { trial, uuid, hand, service, ended } = await active(t, { ini })

    await service(['deploy.flash'])
    const { last_error, maintenance } = await trial.untilState(uuid, 'service failed')
    await ended()

    assert.match(
      String(last_error),
      /^Timeout reached while servicing the node\. .*Failed on step none \(\[conductor\] service_callback_timeout 1 s\): no agent has called/,
    )
    assert.deepEqual([maintenance, hand.switched.length], [false, 4])
  })
})

describe('service that ends by an undeploy', () => {
  it('leaves nothing in the record', async (t) => {
    const { trial, uuid, service, ask } = await active(t)
    await service(['deploy.flash'])
    await trial.untilState(uuid, 'service wait')

    await ask('deleted')
    const { driver_internal_info, service_step } = await trial.untilState(uuid, 'available')

    assert.deepEqual([driver_internal_info, service_step], [{}, {}])
  })
})
