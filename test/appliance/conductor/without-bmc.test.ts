/** Machines that nobody but a person can switch on: hardware type manual-management. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { stateFolder } from '../records/state-folder.ts'
import { cleaning } from './cleaning.ts'
import { deploying } from './deploying.ts'
import { MAC, startTrial, type Trial } from './trial.ts'

const ini = '[DEFAULT]\nenabled_hardware_types = manual-management\n'
const fields = { driver: 'manual-management', power_state: null }

const numberOf = ({ store }: Trial, uuid: string) => store.boots.get(uuid)?.window?.number_secret

describe('machine without a BMC', () => {
  it('is deployed when its button is pressed, and started from its disk by its agent', async (t) => {
    const { trial, agent, uuid } = await deploying(t, { ini, fields })
    const told = await trial.untilLine('machine has to be started by hand, and boots the deploy ramdisk then')
    await agent.boot(trial.conductor)
    const node = await trial.untilState(uuid, 'active')

    assert.equal(told.node, uuid)
    assert.deepEqual(agent.given, ['get_deploy_steps', 'write_image', 'install_bootloader', 'sync', 'run_image'])
    assert.equal(node.power_state, 'power on')
    assert.equal(node.driver_internal_info.agent_url, undefined)
  })

  it('keeps the number of its boot when [pxe] boot_retry_timeout has passed: its button may be pressed', async (t) => {
    const { trial, agent, uuid } = await deploying(t, { ini: `${ini}[pxe]\nboot_retry_timeout = 1\n`, fields })
    const number = numberOf(trial, uuid)

    await trial.untilLine('machine has not booted the agent, and can only be started by hand', { node: uuid })
    await trial.untilState(uuid, 'wait call-back')

    assert.match(number ?? '', /^~/)
    assert.equal(numberOf(trial, uuid), number)
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'active')
  })

  it('keeps the number of its boot over a restart of the box, until its agent has looked itself up', async (t) => {
    const state_path = stateFolder(t)
    const before = await deploying(t, { ini, fields, state_path })
    const { uuid } = before
    const number = numberOf(before.trial, uuid)
    // Cut off between the two.
    const cutOff = { provision_state: 'deploying', wait: null } as const
    await before.trial.store.nodes.update(uuid, cutOff)
    await before.trial.stop()

    const after = await startTrial(t, { ini, state_path })
    await after.conductor.recover()
    await after.untilState(uuid, 'wait call-back')
    const kept = numberOf(after, uuid)
    await after.conductor.lookup({ addresses: [MAC] })
    await after.store.nodes.update(uuid, cutOff)
    await after.conductor.checkDeadlines()
    await after.untilState(uuid, 'wait call-back')
    const next = numberOf(after, uuid)

    assert.match(number ?? '', /^~/)
    assert.equal(kept, number)
    assert.match(next ?? '', /^~/)
    assert.notEqual(next, number)
  })

  it('is cleaned in the same way, and rebooted at the end: it could not be switched on again from here', async (t) => {
    const { trial, agent, uuid } = await cleaning(t, { ini, fields })
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'available')

    assert.deepEqual(agent.given, ['get_clean_steps', 'erase_devices_metadata', 'run_image'])
  })

  it('becomes manageable without an agent, and its power state is not read', async (t) => {
    const trial = await startTrial(t, { ini })
    const { uuid } = await trial.createNode({ ...fields, provision_state: 'enroll' })

    await trial.conductor.provision(uuid, { target: 'manage' })
    await trial.untilState(uuid, 'manageable')
    await trial.store.nodes.update(uuid, { power_state: 'power on' })
    await trial.conductor.syncPowerStates()

    assert.equal(trial.node(uuid).power_state, 'power on')
  })

  it('cannot be switched on by the API, and says so', async (t) => {
    const trial = await startTrial(t, { ini })
    const { uuid } = await trial.createNode(fields)

    await assert.rejects(trial.conductor.power(uuid, 'power on'), {
      code: 400,
      message: 'The driver manual-management does not support the power state, power on',
    })
  })
})
