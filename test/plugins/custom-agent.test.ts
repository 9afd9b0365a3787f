/** The deploy interface custom-agent: conformance, and deploys by a real conductor with an agent's own steps. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { DeployPlugin } from '../../appliance/plugin-api/index.ts'
import { testDeployPlugin } from '../../appliance/plugin-testing/deploy-plugin.ts'
import plugin from '../../plugins/custom-agent/index.ts'
import { deploying } from '../appliance/conductor/deploying.ts'
import type { OfferedStep } from '../appliance/conductor/fake-agent.ts'

testDeployPlugin(() => ({ folder: join(import.meta.dirname, '../../plugins/custom-agent'), name: 'custom-agent' }))

const offers = (step: string, priority: number, argsinfo?: OfferedStep['argsinfo']): OfferedStep => ({
  ...{ interface: 'deploy', step, priority, reboot_requested: false },
  ...(argsinfo && { argsinfo }),
})
/** As a stock agent offers them beside those of a hardware manager. */
const STOCK = [offers('write_image', 0), offers('erase_devices_metadata', 0)]
const LABEL = offers('acme_label', 0, {
  text: { description: 'What the label says.', required: true },
  colour: { description: 'Of what colour it is.', required: false },
})

type Options = { offered: readonly OfferedStep[]; deploy_steps?: object[] }
const deployBy = (t: Parameters<typeof deploying>[0], { offered, deploy_steps }: Options) =>
  deploying(t, {
    plugins: [plugin as unknown as DeployPlugin],
    agent: { offers: offered },
    ...(deploy_steps && { deploy_steps }),
  })

describe('a deploy with the interface custom-agent', () => {
  it("is the agent's own steps between its boot and the boot loader, by priority", async (t) => {
    const offered = [...STOCK, offers('acme_write', 70), offers('acme_check', 90)]

    const { trial, agent, uuid } = await deployBy(t, { offered })
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'active')

    assert.deepEqual(trial.steps(), [
      'deploy.deploy',
      'deploy.acme_check',
      'deploy.acme_write',
      'deploy.prepare_instance_boot',
      'deploy.tear_down_agent',
      'deploy.switch_to_tenant_network',
      'deploy.boot_instance',
    ])
  })

  it('needs no image: a node without one is deployed, and the agent is given all that it says of the instance', async (t) => {
    const { trial, agent, uuid } = await deployBy(t, { offered: [offers('acme_write', 70)] })
    await trial.store.nodes.update(uuid, { instance_info: { acme_image: 'http://images.example/a' } })
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'active')

    const { node } = agent.params[agent.given.indexOf('acme_write')] as { node: { instance_info: object } }
    assert.deepEqual(node.instance_info, { acme_image: 'http://images.example/a' })
  })

  it('takes a step of the agent that was asked for, with its arguments', async (t) => {
    const args = { text: 'rack 7', colour: 'red' }
    const deploy_steps = [{ interface: 'deploy', step: 'acme_label', priority: 80, args }]

    const { trial, agent, uuid } = await deployBy(t, { offered: [...STOCK, LABEL], deploy_steps })
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'active')

    const { step } = agent.params[agent.given.indexOf('acme_label')] as { step: object }
    assert.deepEqual(step, { interface: 'deploy', step: 'acme_label', priority: 80, args })
  })

  const REFUSED = [
    { args: { text: 'a', size: 3 }, reason: 'deploy step deploy.acme_label has these unexpected arguments: size' },
    {
      args: { colour: 'red' },
      reason: 'deploy step deploy.acme_label is missing these required arguments: text',
    },
  ]
  for (const { args, reason } of REFUSED)
    it(`fails before anything is written, because ${reason}`, async (t) => {
      const deploy_steps = [{ interface: 'deploy', step: 'acme_label', priority: 80, args }]

      const { trial, agent, uuid } = await deployBy(t, { offered: [LABEL, offers('acme_write', 70)], deploy_steps })
      await agent.boot(trial.conductor)
      const { last_error } = await trial.untilState(uuid, 'deploy failed')

      assert.equal(last_error, `Deploy step deploy.deploy failed: ${reason}`)
      assert.deepEqual(agent.given, ['get_deploy_steps'])
    })

  for (const offered of [STOCK, [...STOCK, offers('acme_late', 50)]])
    it(`fails before the disk is called bootable when the agent offers ${offered.map(({ step }) => step).join(', ')}`, async (t) => {
      const { trial, agent, uuid } = await deployBy(t, { offered })
      await agent.boot(trial.conductor)
      const { last_error } = await trial.untilState(uuid, 'deploy failed')

      const told = offered.map(({ step, priority }) => `deploy.${step} (${priority})`).join(', ')
      assert.equal(
        last_error,
        `Deploy step deploy.deploy failed: The agent of node ${uuid} has no step that writes to the disk: expected one with a priority ` +
          `from 61 to 99, by itself or in deploy_steps; it offers ${told}. Boot a ramdisk that brings such a step: a hardware ` +
          'manager of ironic-python-agent ([pxe] ramdisk_path), or a layer of this ramdisk.',
      )
      assert.deepEqual(agent.given, ['get_deploy_steps'])
    })
})
