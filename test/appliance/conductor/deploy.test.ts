import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FakeAgent, stepFails } from './fake-agent.ts'
import { imagesOnPaper, MAC, startTrial } from './trial.ts'

describe('deploy', () => {
  it('boots the agent, has it write the image, switches the machine off and starts it from its disk', async (t) => {
    const images = imagesOnPaper()
    const trial = await startTrial(t, { images })
    const agent = new FakeAgent({ mac: MAC })
    t.after(() => agent.close())
    const { uuid } = await trial.createNode()

    await trial.conductor.provision(uuid, { target: 'active' })
    await trial.untilState(uuid, 'wait call-back')
    await agent.boot(trial.conductor)
    const node = await trial.untilState(uuid, 'active')

    assert.deepEqual(trial.steps(), [
      'deploy.deploy',
      'deploy.write_image',
      'deploy.prepare_instance_boot',
      'deploy.tear_down_agent',
      'deploy.switch_to_tenant_network',
      'deploy.boot_instance',
    ])
    assert.deepEqual(agent.given, ['get_deploy_steps', 'write_image', 'sync', 'power_off'])
    assert.equal(node.power_state, 'power on')
    assert.equal(node.target_provision_state, null)
    assert.equal(node.last_error, null)
    assert.deepEqual(node.deploy_step, {})
    assert.deepEqual(images.released, [uuid])
    assert.deepEqual(trial.deploys, ['active'])
  })

  it('fails with what the agent says, and switches the machine off', async (t) => {
    const trial = await startTrial(t)
    const agent = new FakeAgent({ mac: MAC, onStep: () => Promise.reject(stepFails('disk /dev/sda is too small')) })
    t.after(() => agent.close())
    const { uuid } = await trial.createNode()

    await trial.conductor.provision(uuid, { target: 'active' })
    await trial.untilState(uuid, 'wait call-back')
    await agent.boot(trial.conductor)
    const node = await trial.untilState(uuid, 'deploy failed')

    assert.equal(
      node.last_error,
      'Deploy step deploy.write_image failed: the agent returned an error: disk /dev/sda is too small',
    )
    assert.equal(node.power_state, 'power off')
    assert.equal(node.target_provision_state, 'active')
    assert.deepEqual(trial.deploys, ['failed'])
  })
})
