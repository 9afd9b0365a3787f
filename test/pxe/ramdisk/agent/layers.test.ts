/** What layers start when the agent starts, and what they tell of it with its heartbeats. */
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { stepAgent } from '../../../../pxe/ramdisk/agent/commands/layer-steps.ts'
import { startLayers } from '../../../../pxe/ramdisk/agent/layers.ts'
import { agentOn } from './agent-context.ts'
import { cmdlineFor, startAgent } from './agent-process.ts'
import { startIronic } from './fake-ironic.ts'
import { type FakeMachine, makeMachine } from './fake-machine.ts'

async function bring({ root }: FakeMachine, scripts: Readonly<Record<string, string>>): Promise<void> {
  const folder = join(root, 'usr/lib/rackstrap/steps')
  await mkdir(folder, { recursive: true })
  for (const [name, script] of Object.entries(scripts)) await writeFile(join(folder, `${name}.js`), script)
}

describe('what a layer starts with the agent', () => {
  it('is started before the first heartbeat, and its facts go with each to an appliance that asks for them', async () => {
    await using ironic = await startIronic({ config: { rackstrap_layer_facts: true }, node: { name: 'n1' } })
    await using machine = await makeMachine({ cmdline: cmdlineFor(ironic), programs: { df: 'echo "$1"' } })
    await bring(machine, {
      ssh: `exports.start = async (agent) =>
        ({ ssh_host_keys: ['ssh-ed25519 AAAA'], node: agent.node.name, said: await agent.programs.run('df', ['-h']) })`,
    })

    await using _agent = startAgent(machine)
    const first = await ironic.heartbeat(1)

    assert.deepEqual(first.layer_facts, {
      ssh: { ssh_host_keys: ['ssh-ed25519 AAAA'], node: 'n1', said: '-h\n' },
    })
  })

  it('is started for a real Ironic, too, which is sent no field that it would refuse', async () => {
    await using ironic = await startIronic()
    await using machine = await makeMachine({ cmdline: cmdlineFor(ironic) })
    await bring(machine, {
      ssh: "exports.start = async (agent) => { agent.screen.say('sshd is up'); return { a: 1 } }",
    })

    await using _agent = startAgent(machine)
    const first = await ironic.heartbeat(1)

    assert.deepEqual(Object.keys(first), ['callback_url', 'agent_token', 'agent_version', 'agent_verify_ca'])
    assert.match(await machine.console(), /sshd is up/)
  })

  it('that fails, hangs, or tells nonsense is told on the screen and as its error, and the others are there', async () => {
    await using machine = await makeMachine()
    await bring(machine, {
      fails: "exports.start = () => { throw new Error('no entropy') }",
      good: 'exports.start = async () => ({ up: true })',
      hangs: 'exports.start = () => new Promise(() => {})',
      huge: "exports.start = async () => ({ a: 'x'.repeat(9000) })",
      list: 'exports.start = async () => [1]',
      quiet: 'exports.start = async () => {}',
      steps: 'exports.steps = {}',
      text: 'this is no script',
    })

    const facts = await startLayers(stepAgent(agentOn(machine)), { deadline_s: 0.05 })

    assert.deepEqual(facts, {
      fails: { error: 'no entropy' },
      good: { up: true },
      hangs: { error: 'it took more than 0.05 s' },
      huge: { error: 'it told more than 8192 bytes' },
      list: { error: 'it told no JSON object' },
    })
    assert.match(await machine.console(), /FAILED Layer hangs did not start: it took more than 0\.05 s/)
  })
})
