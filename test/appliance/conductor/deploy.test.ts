import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Node } from '../../../appliance/records/kinds/node.ts'
import type { Port } from '../../../appliance/records/kinds/port.ts'
import { deploying } from './deploying.ts'
import type { FakeAgentOptions } from './fake-agent.ts'
import { bmcByHand, IMAGE, INSTANCE, imagesOnPaper, MAC } from './trial.ts'

type StepParams = {
  step: { step: string; args: { image_info: { urls: string[] } } }
  node: Node
  ports: Port[]
  deploy_version: object
}
describe('deploy', () => {
  it('boots the agent, has it write the image, switches the machine off and starts it from its disk', async (t) => {
    const images = imagesOnPaper()

    const { trial, agent, uuid } = await deploying(t, { images })
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
    assert.deepEqual(agent.given, ['get_deploy_steps', 'write_image', 'install_bootloader', 'sync', 'power_off'])
    assert.deepEqual(trial.states(), [
      'deploying',
      'wait call-back',
      'deploying',
      'wait call-back',
      'deploying',
      'active',
    ])
    assert.equal(node.power_state, 'power on')
    assert.equal(node.target_provision_state, null)
    assert.equal(node.last_error, null)
    assert.deepEqual(node.deploy_step, {})
    assert.deepEqual(images.released, [uuid])
    assert.deepEqual(trial.deploys, ['active'])
  })

  it('leaves nothing of itself in the record, least of all the token', async (t) => {
    const { trial, agent, uuid } = await deploying(t)
    await agent.boot(trial.conductor)
    const { driver_internal_info, wait } = await trial.untilState(uuid, 'active')

    assert.deepEqual(Object.keys(driver_internal_info).sort(), ['agent_last_heartbeat', 'agent_version'])
    assert.equal(wait, null)
  })

  it('gives the agent the step, the whole node and its ports, and nothing that opens the BMC or a registry', async (t) => {
    const instance_info = { capabilities: 'boot_mode:bios', image_pull_secret: 'bWU6bWU=' }
    const { trial, agent, uuid } = await deploying(t, { instance_info })
    await trial.store.nodes.update(uuid, { driver_info: { ipmi_password: 'secret', ipmi_address: '10.0.0.1' } })
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'active')

    const { step, node, ports, deploy_version } = agent.params[agent.given.indexOf('write_image')] as StepParams
    assert.equal(step.step, 'write_image')
    assert.deepEqual(step.args.image_info.urls, [IMAGE.url])
    assert.deepEqual(deploy_version, { fake: '1.0' })
    assert.equal(node.uuid, uuid)
    assert.deepEqual(node.instance_info, { ...INSTANCE, ...instance_info, image_pull_secret: '******' })
    assert.deepEqual(node.driver_info, { ipmi_password: '******', ipmi_address: '10.0.0.1' })
    assert.deepEqual(
      ports.map(({ address }) => address),
      [MAC],
    )
  })

  it("runs the agent's own steps of priority 41 to 99, and those that were asked for, in their order", async (t) => {
    const offers = [
      { interface: 'deploy', step: 'write_image', priority: 0, reboot_requested: false },
      { interface: 'raid', step: 'apply_configuration', priority: 0, reboot_requested: false },
      { interface: 'deploy', step: 'inject_files', priority: 70, reboot_requested: false },
    ]
    const deploy_steps = [{ interface: 'raid', step: 'apply_configuration', priority: 90 }]

    const { trial, agent, uuid } = await deploying(t, { agent: { offers }, deploy_steps })
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'active')

    assert.deepEqual(trial.steps().slice(0, 5), [
      'deploy.deploy',
      'raid.apply_configuration',
      'deploy.write_image',
      'deploy.inject_files',
      'deploy.prepare_instance_boot',
    ])
  })

  it('boots the agent again after a step of its that wishes so', async (t) => {
    const offers = [
      { interface: 'deploy', step: 'write_image', priority: 0, reboot_requested: false },
      { interface: 'bios', step: 'flash', priority: 95, reboot_requested: true },
    ]

    const { trial, agent, uuid } = await deploying(t, { agent: { offers } })
    await agent.boot(trial.conductor)
    await trial.until('second boot', () => trial.node(uuid).wait?.note === 'bios.flash wants a reboot')
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'active')

    assert.deepEqual(agent.given, [
      'get_deploy_steps',
      'flash',
      'get_deploy_steps',
      'write_image',
      'install_bootloader',
      'sync',
      'power_off',
    ])
  })

  it('fails when a step was asked for that neither the plugin nor the agent has', async (t) => {
    const { trial, agent, uuid } = await deploying(t, {
      deploy_steps: [{ interface: 'raid', step: 'brew', priority: 90 }],
    })
    await agent.boot(trial.conductor)
    const { last_error } = await trial.untilState(uuid, 'deploy failed')

    assert.match(
      last_error ?? '',
      /^Deploy step deploy\.deploy failed: node does not support this deploy step: raid\.brew /,
    )
  })

  it('shows the progress that the agent tells', async (t) => {
    const { promise: shown, resolve } = Promise.withResolvers<void>()
    const onStep: FakeAgentOptions['onStep'] = (_step, _params, progress) => {
      progress('writing the image', 512, 1024)
      return shown
    }

    const { trial, agent, uuid } = await deploying(t, { agent: { onStep } })
    await agent.boot(trial.conductor)
    const line = await trial.untilLine('progress', { node: uuid, note: 'writing the image' })
    resolve()
    await trial.untilState(uuid, 'active')

    assert.deepEqual([line.done, line.total], [512, 1024])
  })

  it('takes the image as soon as the machine is on its way', async (t) => {
    const { promise: resolved, resolve } = Promise.withResolvers<typeof IMAGE>()
    const asked: string[] = []
    const images = imagesOnPaper({
      resolve: async ({ node_uuid }) => {
        asked.push(node_uuid)
        return resolved
      },
    })

    const { trial, agent, uuid } = await deploying(t, { images })
    assert.deepEqual(asked, [uuid])
    resolve(IMAGE)
    await agent.boot(trial.conductor)

    await trial.untilState(uuid, 'active')
  })
})

describe('end of the agent', () => {
  const SLOW = '[agent]\npost_deploy_get_power_state_retry_interval = 5\n'

  it('is its own power off, seen at once; the BMC need not help', async (t) => {
    const { hand, driver } = bmcByHand()
    const onPowerOff = () => {
      hand.state = 'power off'
    }

    const { trial, agent, uuid } = await deploying(t, { bmc: driver, agent: { onPowerOff }, ini: SLOW })
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'active')

    assert.deepEqual(hand.switched, ['power on', 'power on'])
    assert.deepEqual(hand.devices, ['pxe false', 'disk true'])
  })

  for (const word of ['True', 'y'])
    it(`is a flush and the BMC alone with driver_info/deploy_forces_oob_reboot ${word}`, async (t) => {
      const { hand, driver } = bmcByHand()

      const { trial, agent, uuid } = await deploying(t, {
        bmc: driver,
        fields: { driver_info: { deploy_forces_oob_reboot: word } },
      })
      await agent.boot(trial.conductor)
      await trial.untilState(uuid, 'active')

      assert.deepEqual(agent.given, ['get_deploy_steps', 'write_image', 'install_bootloader', 'sync'])
      assert.deepEqual(hand.switched, ['power on', 'power off', 'power on'])
    })

  it('is a flush and a reboot where the machine must not be off', async (t) => {
    const { hand, driver } = bmcByHand()

    const { trial, agent, uuid } = await deploying(t, { bmc: driver, fields: { disable_power_off: true } })
    await agent.boot(trial.conductor)
    const { driver_internal_info } = await trial.untilState(uuid, 'active')

    assert.deepEqual(agent.given, ['get_deploy_steps', 'write_image', 'install_bootloader', 'sync'])
    assert.deepEqual(hand.switched, ['rebooting', 'rebooting'])
    assert.equal(driver_internal_info.agent_secret_token, undefined)
  })
})
