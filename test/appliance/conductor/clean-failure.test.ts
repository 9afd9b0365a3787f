import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BmcFailure } from '../../../appliance/errors.ts'
import { cleaning, manageable, offer } from './cleaning.ts'
import { stepFails } from './fake-agent.ts'
import { bmcByHand } from './trial.ts'

const onStep = async () => Promise.reject(stepFails('"/dev/vda": EIO'))

describe('cleaning that fails', () => {
  it('in a step leaves the machine as it is, and keeps it from being used', async (t) => {
    const { trial, agent, uuid } = await cleaning(t, { agent: { onStep } })
    await agent.boot(trial.conductor)
    const node = await trial.untilState(uuid, 'clean failed')

    const reason = 'Clean step deploy.erase_devices_metadata failed: the agent returned an error: "/dev/vda": EIO'
    assert.equal(node.last_error, reason)
    assert.deepEqual([node.maintenance, node.maintenance_reason, node.fault], [true, reason, 'clean failure'])
    assert.deepEqual([node.power_state, node.clean_step, node.target_provision_state], ['power on', {}, 'available'])
    assert.deepEqual(Object.keys(node.driver_internal_info).sort(), ['agent_last_heartbeat', 'agent_version'])
    assert.deepEqual(trial.cleanings, ['failed'])
    await assert.rejects(agent.beat(trial.conductor), { name: 'InvalidParameterValue' })
  })

  it('switches the machine off when [conductor] poweroff_in_cleanfail says so', async (t) => {
    const { trial, agent, uuid } = await cleaning(t, { agent: { onStep }, ini: 'poweroff_in_cleanfail = True\n' })
    await agent.boot(trial.conductor)

    const { power_state, maintenance } = await trial.untilState(uuid, 'clean failed')
    await trial.until('power off', () => trial.node(uuid).power_state === 'power off')
    assert.deepEqual([power_state, maintenance], ['power off', true])
  })

  it('keeps the reason that a node was in maintenance for before', async (t) => {
    const { trial, agent, uuid } = await cleaning(t, { agent: { onStep } })
    await trial.store.nodes.update(uuid, { maintenance_reason: 'its fan is loud' })
    await agent.boot(trial.conductor)

    assert.equal((await trial.untilState(uuid, 'clean failed')).maintenance_reason, 'its fan is loud')
  })

  it('leads to manageable, and can then be tried again', async (t) => {
    let attempts = 0
    const once = async () => {
      attempts += 1
      if (attempts === 1) throw stepFails('no luck')
    }

    const { trial, agent, uuid } = await cleaning(t, { agent: { onStep: once } })
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'clean failed')
    await trial.conductor.provision(uuid, { target: 'manage' })
    // As the API does when an operator takes it out of maintenance.
    await trial.store.nodes.update(uuid, { maintenance: false, fault: null, maintenance_reason: null })
    await trial.conductor.provision(uuid, { target: 'provide' })
    await trial.untilState(uuid, 'clean wait')
    await agent.boot(trial.conductor)

    const node = await trial.untilState(uuid, 'available')
    assert.deepEqual([node.last_error, node.fault], [null, null])
  })

  it('before its first step says what is wrong, and is no reason for maintenance: without a port', async (t) => {
    const { trial } = await manageable(t)
    const { uuid } = await trial.createNode({ provision_state: 'manageable' }, null)

    await trial.conductor.provision(uuid, { target: 'provide' })
    const { last_error, maintenance } = await trial.untilState(uuid, 'clean failed')

    assert.equal(
      last_error,
      `Validation of node ${uuid} for cleaning failed: Node ${uuid} does not have any port associated with it.`,
    )
    assert.equal(maintenance, false)
  })

  it('before its first step: with a BMC that is gone', async (t) => {
    const { hand, driver } = bmcByHand()
    hand.isGone = true
    const { trial, uuid } = await manageable(t, { bmc: driver })

    await trial.conductor.provision(uuid, { target: 'provide' })
    const { last_error } = await trial.untilState(uuid, 'clean failed')
    await trial.until('the end of the failure', () => trial.node(uuid).reservation === null)

    assert.equal(
      last_error,
      `Failed to prepare node ${uuid} for cleaning: BMC 10.0.0.1 did not answer. ` +
        `Also Failed to tear down cleaning on node ${uuid}, reason: BMC 10.0.0.1 did not answer`,
    )
  })

  it('at its end, when the machine cannot be switched off', async (t) => {
    const { hand, driver } = bmcByHand()
    const bmc = {
      ...driver,
      setPowerState: async (...[task, target]: Parameters<typeof driver.setPowerState>) => {
        if (target === 'power off') throw new BmcFailure('BMC 10.0.0.1 refused')
        return driver.setPowerState(task, target)
      },
    }

    const { trial, agent, uuid } = await cleaning(t, { bmc })
    await agent.boot(trial.conductor)
    const { last_error, maintenance } = await trial.untilState(uuid, 'clean failed')

    assert.match(
      last_error ?? '',
      new RegExp(`^Failed to tear down from cleaning for node ${uuid}, reason: BMC 10.0.0.1 refused`),
    )
    assert.deepEqual([maintenance, hand.state], [false, 'power on'])
  })

  it('when no agent calls within [conductor] clean_callback_timeout, and says where to look', async (t) => {
    const { trial, uuid } = await cleaning(t, { ini: 'clean_callback_timeout = 1\ndeploy_callback_timeout = 0\n' })

    const { last_error, maintenance, power_state } = await trial.untilState(uuid, 'clean failed')

    assert.equal(
      last_error,
      'Timeout reached while cleaning the node. Please check if the ramdisk responsible for the cleaning is running on the node. ' +
        'Failed on step none ([conductor] clean_callback_timeout 1 s): ' +
        "no agent has called. Look at the machine's screen, whether it boots from the network, and whether its network card is a port of this node with pxe_enabled.",
    )
    assert.deepEqual([maintenance, power_state], [false, 'power off'])
  })

  it('when the agent answers nonsense', async (t) => {
    const { trial, agent, uuid } = await cleaning(t, { agent: { nonsense: { deploy_steps: {} } } })
    await agent.boot(trial.conductor)

    const { last_error } = await trial.untilState(uuid, 'clean failed')
    assert.match(
      last_error ?? '',
      /^Node failed to start the first cleaning step: The agent of node \S+ answered something that is not its list of clean steps: /,
    )
  })
})

describe('abort of a cleaning', () => {
  const aborted = 'By request, the clean operation was aborted'

  it('before its first step is done at once, and switches the machine off', async (t) => {
    const { trial, uuid } = await cleaning(t)

    await trial.conductor.provision(uuid, { target: 'abort' })
    const node = await trial.untilState(uuid, 'clean failed')

    assert.deepEqual([node.last_error, node.maintenance, node.power_state], [aborted, false, 'power off'])
  })

  it('in a step that can be stopped is done at once', async (t) => {
    const { trial, agent, uuid } = await cleaning(t, { agent: { onStep: () => new Promise(() => {}) } })
    await agent.boot(trial.conductor)
    await agent.untilGiven('erase_devices_metadata')
    await trial.untilState(uuid, 'clean wait')

    await trial.conductor.provision(uuid, { target: 'abort' })
    const node = await trial.untilState(uuid, 'clean failed')

    const during = `${aborted} during or after the completion of step "deploy.erase_devices_metadata"`
    assert.deepEqual([node.last_error, node.maintenance, node.power_state], [during, false, 'power off'])
  })

  it('in a step that cannot be stopped waits for its end', async (t) => {
    const { promise: flashed, resolve } = Promise.withResolvers<void>()
    const cleans = [offer('flash', 90, { interface: 'bios' }), offer('erase', 50)]

    const { trial, agent, uuid } = await cleaning(t, { agent: { cleans, onStep: () => flashed } })
    await agent.boot(trial.conductor)
    await agent.untilGiven('flash')
    await trial.untilState(uuid, 'clean wait')
    await trial.conductor.provision(uuid, { target: 'abort' })
    assert.equal(trial.node(uuid).provision_state, 'clean wait')
    resolve()
    const node = await trial.untilState(uuid, 'clean failed')

    assert.equal(node.last_error, `${aborted} during or after the completion of step "bios.flash"`)
    assert.deepEqual([node.maintenance, node.power_state, node.clean_step], [false, 'power off', {}])
    assert.deepEqual(agent.given, ['get_clean_steps', 'flash'])
  })
})
