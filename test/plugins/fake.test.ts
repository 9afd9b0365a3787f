/** The deploy interface fake: conformance, and a node's way through the appliance without a ramdisk. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { InvalidParameterValue } from '../../appliance/errors.ts'
import { testDeployPlugin } from '../../appliance/plugin-testing/deploy-plugin.ts'
import plugin from '../../plugins/fake/index.ts'
import { startTrial } from '../appliance/conductor/trial.ts'

testDeployPlugin(() => ({
  folder: join(import.meta.dirname, '../../plugins/fake'),
  name: 'fake',
  setting: {},
  refused: {},
}))

describe('a node with the deploy interface fake', () => {
  it('is cleaned, deployed and torn down without a ramdisk, a port or an image', async (t) => {
    const trial = await startTrial(t, {
      plugins: [plugin],
      ini: '[DEFAULT]\nenabled_deploy_interfaces = fake\nenabled_boot_interfaces = fake\n[conductor]\nautomated_clean = true\n',
      checkRamdisk: async () => {
        throw new InvalidParameterValue('There is no deploy ramdisk.')
      },
    })
    const { uuid } = await trial.createNode({ provision_state: 'manageable', instance_info: {} }, null)

    await trial.conductor.provision(uuid, { target: 'provide' })
    await trial.untilState(uuid, 'available')
    await trial.conductor.provision(uuid, { target: 'active' })
    await trial.untilState(uuid, 'active')
    await trial.conductor.provision(uuid, { target: 'deleted' })
    await trial.untilState(uuid, 'available')

    assert.deepEqual(trial.steps(), ['deploy.deploy'])
    assert.deepEqual(trial.states(), [
      ...['cleaning', 'available'],
      ...['deploying', 'active'],
      ...['deleting', 'cleaning', 'available'],
    ])
  })

  it('is cleaned by steps that were asked for, none of which is the agent', async (t) => {
    const trial = await startTrial(t, { plugins: [plugin], ini: '[DEFAULT]\nenabled_boot_interfaces = fake\n' })
    const { uuid } = await trial.createNode({ provision_state: 'manageable', instance_info: {} }, null)
    const clean_steps = [{ interface: 'deploy', step: 'erase_devices' }]

    await trial.conductor.provision(uuid, { target: 'clean', clean_steps })
    const { last_error } = await trial.untilState(uuid, 'clean failed')

    assert.match(String(last_error), /node does not support this clean step: deploy\.erase_devices \(it has none\)$/)
  })
})
