/** The deploy interface custom-agent: conformance, and deploys by a real conductor with an agent's own steps. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { DeployPlugin } from '../../appliance/plugin-api/index.ts'
import { testDeployPlugin } from '../../appliance/plugin-testing/deploy-plugin.ts'
import plugin from '../../plugins/custom-agent/index.ts'
import { stepCommands } from '../../pxe/ramdisk/agent/commands/steps.ts'
import { bundle } from '../../pxe/ramdisk/bundle.ts'
import { deploying } from '../appliance/conductor/deploying.ts'
import type { OfferedStep } from '../appliance/conductor/fake-agent.ts'
import { agentOn } from '../pxe/ramdisk/agent/agent-context.ts'
import { diskImage } from '../pxe/ramdisk/agent/disk-images.ts'
import { type FakeMachine, makeMachine } from '../pxe/ramdisk/agent/fake-machine.ts'
import { block } from './example.ts'

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

describe("the layer of custom-agent's README", () => {
  const layerOn = async (machine: FakeMachine) => {
    const page = readFileSync(join(import.meta.dirname, '../../plugins/custom-agent/README.md'), 'utf8')
    const entry = join(machine.root, 'index.ts')
    const folder = join(machine.root, 'usr/lib/rackstrap/steps')
    mkdirSync(folder, { recursive: true })
    writeFileSync(entry, block('ts', '', page))
    writeFileSync(join(folder, 'acme.js'), bundle(entry))
    return stepCommands(agentOn(machine), 'deploy')
  }
  const execute = (commands: Awaited<ReturnType<typeof layerOn>>, acme_image: string) =>
    commands.execute_deploy_step?.run(
      { node: { uuid: '5f2c', instance_info: { acme_image } }, step: { step: 'acme_write', args: {} } },
      { progress() {} },
    )
  const serve = async (t: TestContext, status: number, body: Buffer) => {
    const server = createServer((_request, response) => response.writeHead(status).end(body)).listen(0, '127.0.0.1')
    t.after(() => server.close())
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/a.raw.gz`
  }

  it('is offered at 70, and writes what it fetches to the disk', async (t) => {
    await using machine = await makeMachine()
    const image = await diskImage('gpt')
    const commands = await layerOn(machine)

    const offered = await commands.get_deploy_steps?.run({ node: {} }, { progress() {} })
    await execute(commands, await serve(t, 200, gzipSync(image)))

    assert.match(JSON.stringify(offered), /"step":"acme_write","priority":70/)
    assert.ok((await machine.read('vda', 0, image.length)).equals(image))
    assert.ok((await machine.calls()).some((call) => call.startsWith('blockdev --rereadpt')))
  })

  it('says what it was answered instead', async (t) => {
    await using machine = await makeMachine()
    const url = await serve(t, 404, Buffer.alloc(0))

    await assert.rejects(async () => execute(await layerOn(machine), url), {
      details: `${url} is answered with 404`,
    })
  })
})
