/** Machines that nobody but a person can switch on: hardware type manual-management. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { cleaning } from './cleaning.ts'
import { deploying } from './deploying.ts'
import { startTrial } from './trial.ts'

const ini = '[DEFAULT]\nenabled_hardware_types = manual-management\n'
const fields = { driver: 'manual-management', power_state: null }

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
