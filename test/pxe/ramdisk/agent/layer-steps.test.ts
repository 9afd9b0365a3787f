/** Deploy steps that layers bring to the agent. */
import assert from 'node:assert/strict'
import { mkdir, open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { AgentContext } from '../../../../pxe/ramdisk/agent/commands/context.ts'
import { stepCommands } from '../../../../pxe/ramdisk/agent/commands/steps.ts'
import { agentOn } from './agent-context.ts'
import { diskImage } from './disk-images.ts'
import { type FakeMachine, GIB, makeMachine } from './fake-machine.ts'

async function agentWith(machine: FakeMachine, scripts: Readonly<Record<string, string>>): Promise<AgentContext> {
  const folder = join(machine.root, 'usr/lib/rackstrap/steps')
  await mkdir(folder, { recursive: true })
  for (const [name, script] of Object.entries(scripts)) await writeFile(join(folder, `${name}.js`), script)
  return agentOn(machine)
}

const NODE = { uuid: '5f2c', name: 'n1', instance_info: { image_source: 'oci://quay.io/a' } }
const progress = () => {}
const offered = async (agent: AgentContext, phase: 'deploy' | 'clean') => {
  const answer = await stepCommands(agent, phase)[`get_${phase}_steps`]?.run({ node: NODE }, { progress })
  const steps = (answer as Record<string, Record<string, { step: string; priority: number }[]>>)[`${phase}_steps`]
  return (steps?.GenericHardwareManager ?? []).map(({ step, priority }) => `${step} ${priority}`)
}
const execute = (agent: AgentContext, step: string, args: object, told: (progress: unknown) => void = progress) =>
  stepCommands(agent, 'deploy').execute_deploy_step?.run({ node: NODE, step: { step, args } }, { progress: told })

describe('deploy steps of layers', () => {
  it('are offered beside those of the agent, in deploys only', async () => {
    await using machine = await makeMachine()
    const agent = await agentWith(machine, {
      podman: 'exports.steps = { bootc_install: { priority: 0, run: async () => {} } }',
      other: 'exports.steps = { burn_in: { priority: 70, run: async () => {} } }',
    })

    assert.deepEqual(await offered(agent, 'deploy'), [
      'erase_devices_metadata 0',
      'clean_uefi_nvram 0',
      'write_image 0',
      'burn_in 70',
      'bootc_install 0',
    ])
    assert.deepEqual(await offered(agent, 'clean'), [
      'erase_devices 10',
      'erase_devices_metadata 99',
      'erase_devices_express 0',
      'erase_pstore 0',
      'clean_uefi_nvram 0',
      'burnin_cpu 0',
      'burnin_disk 0',
      'burnin_memory 0',
      'burnin_network 0',
    ])
  })

  it('say which arguments they take', async () => {
    await using machine = await makeMachine()
    const argsInfo = { text: { description: 'What it says.', required: true } }
    const agent = await agentWith(machine, {
      acme: `exports.steps = { label: { priority: 0, argsInfo: ${JSON.stringify(argsInfo)}, run: async () => {} } }`,
    })

    const answer = await stepCommands(agent, 'deploy').get_deploy_steps?.run({ node: NODE }, { progress })

    const { deploy_steps } = answer as { deploy_steps: Record<string, object[]> }
    assert.deepEqual(deploy_steps.GenericHardwareManager?.at(-1), {
      ...{ step: 'label', priority: 0, interface: 'deploy', reboot_requested: false },
      argsinfo: argsInfo,
    })
  })

  it('run with what the appliance gave, tell how far they are on both sides, and return what they found', async () => {
    await using machine = await makeMachine({ programs: { df: 'echo "$1"' } })
    const agent = await agentWith(machine, {
      podman: `exports.steps = { look: { priority: 0, async run(agent, args, context) {
        context.progress({ note: 'looking', done: 1048576, total: 4194304, unit: 'bytes' })
        const { name, size_bytes } = await agent.rootDevice()
        return { name, size_bytes, args, said: await agent.programs.run('df', ['-h']), node: agent.node.name }
      } } }`,
    })
    const told: unknown[] = []

    const answer = await execute(agent, 'look', { a: 1 }, (progress) => told.push(progress))

    assert.deepEqual((answer as { deploy_result: unknown }).deploy_result, {
      name: '/dev/vda',
      size_bytes: 4 * GIB,
      args: { a: 1 },
      said: '-h\n',
      node: 'n1',
    })
    assert.deepEqual(told, [{ note: 'looking', done: 1048576, total: 4194304, unit: 'bytes' }])
    assert.match(await machine.console(), /\r {2}looking 1 MiB of 4 MiB +/)
  })

  it('write a config drive with what the agent has for it', async () => {
    await using machine = await makeMachine()
    await using disk = await open(machine.disk('vda'), 'r+')
    await disk.write(await diskImage('gpt'))
    const agent = await agentWith(machine, {
      podman: `exports.steps = { drive: { priority: 0, async run(agent, { text }) {
        const disk = await agent.rootDevice()
        const number = await agent.writeConfigDrive(disk, text)
        await agent.rereadPartitions(disk)
        return number
      } } }`,
    })
    const text = gzipSync(Buffer.from('a volume')).toString('base64')

    const answer = await execute(agent, 'drive', { text })

    assert.equal((answer as { deploy_result: unknown }).deploy_result, 3)
    const found = await machine.read('vda', 4 * GIB - 80 * 1024 ** 2, 80 * 1024 ** 2)
    assert.ok(found.includes('a volume'))
    assert.ok((await machine.calls()).some((call) => call.startsWith('blockdev --rereadpt')))
  })

  it('that fail do so in their own words', async () => {
    await using machine = await makeMachine()
    const agent = await agentWith(machine, {
      podman: "exports.steps = { fail: { priority: 0, run() { throw new Error('The image has no bootc.') } } }",
    })

    await assert.rejects(Promise.resolve(execute(agent, 'fail', {})), {
      kind: 'DeploymentError',
      details: 'The image has no bootc.',
    })
    await assert.rejects(Promise.resolve(execute(agent, 'constructor', {})), {
      details:
        "This ramdisk has no deploy step 'constructor'; it has erase_devices_metadata, clean_uefi_nvram, write_image, fail.",
    })
  })

  it('that cannot be loaded, or are none, are told on the screen, and the others are there', async () => {
    await using machine = await makeMachine()
    const agent = await agentWith(machine, {
      a: 'this is no script',
      b: "exports.steps = { half: { priority: 'high', run() {} } }",
      c: 'exports.other = 1',
      d: 'exports.steps = { whole: { priority: 0, run() {} } }',
    })

    assert.deepEqual((await offered(agent, 'deploy')).slice(3), ['whole 0'])
    const lines = (await machine.console()).split('\r\n')
    assert.ok(lines.some((line) => line.startsWith('The deploy steps of layer a cannot be loaded: ')))
    assert.ok(lines.includes('Step half of layer b has no priority, or no function "run"; it is left out'))
  })

  it('are not offered by half a ramdisk, which is all that fits into a small memory', async () => {
    await using machine = await makeMachine()
    const agent = await agentWith(machine, {})
    await mkdir(join(machine.root, 'run/agent'), { recursive: true })
    await writeFile(join(machine.root, 'run/agent/incomplete'), '')

    for (const [phase, kind] of [
      ['deploy', 'DeploymentError'],
      ['clean', 'CleaningError'],
    ] as const) {
      await assert.rejects(offered(agent, phase), {
        kind,
        details:
          'This machine has too little memory: its ramdisk could not be unpacked whole into 994 MiB. Give it more.',
      })
    }
  })
})
