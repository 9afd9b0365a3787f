/**
 * Our playbooks, run by this box's real ansible against a folder that stands for a machine: its agent answers, files
 * are its disks. The names of its disks are theirs alone, so that nothing reaches a disk of this box.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { StepAgent, StepDisk } from '@appliance/pxe/agent-api'
import { listenForPlaybooks } from '../../../plugins/ansible/layers/ssh/steps/agent-socket.ts'
import { stepAgent } from '../../../pxe/ramdisk/agent/commands/layer-steps.ts'
import { agentOn } from '../../pxe/ramdisk/agent/agent-context.ts'
import { type FakeMachine, type FakeMachineOptions, makeMachine } from '../../pxe/ramdisk/agent/fake-machine.ts'
import { CHECKOUT } from '../../rack/cache.ts'

const PLAYBOOKS = join(CHECKOUT, 'plugins/ansible/playbooks')

export type PlaybookRig = AsyncDisposable & {
  machine: FakeMachine
  /** Path of a disk, on this box. */
  disk(name: string): string
  /**
   * Runs a playbook of ours.
   * @param ironic  the variable of that name, without `nodes`
   * @throws Error  all that ansible wrote
   * @returns all that ansible wrote
   */
  play(playbook: string, ironic: object, o?: PlayOptions): Promise<string>
}
type PlayOptions = {
  tags?: string
  /** Further variables. */
  vars?: object
  /** Killed with its process group then, as when the appliance ends; that is no error. */
  killed?: Promise<unknown>
}

export async function playbookRig(options: FakeMachineOptions & { node?: object } = {}): Promise<PlaybookRig> {
  const machine = await makeMachine({ disks: [{ name: 'rsdisk0', size_bytes: 64 * 1024 ** 2 }], ...options })
  const agent = stepAgent({ ...agentOn(machine), node: { ...options.node } })
  const server = await listenForPlaybooks(ofThisBox(agent))
  const vars = join(machine.root, 'vars.json')
  return {
    machine,
    disk: (name) => join(machine.root, 'dev', name),
    async play(playbook, ironic, o = {}) {
      const nodes = [{ name: '5f2c', ip: '127.0.0.1', user: 'nobody', extra: {} }]
      const all = {
        ironic: { nodes, ...ironic },
        ansible_connection: 'local',
        ansible_become: false,
        ansible_python_interpreter: '/usr/bin/python3',
        agent_socket: join(machine.root, 'run/rackstrap/agent.sock'),
        site_folder: join(machine.root, 'site'),
        configdrive_file: join(machine.root, 'configdrive'),
        ...o.vars,
      }
      await writeFile(vars, JSON.stringify(all), { mode: 0o600 })
      const args = [join(PLAYBOOKS, playbook), '-i', join(PLAYBOOKS, 'inventory'), '-e', `@${vars}`]
      return await ansible([...args, ...(o.tags ? ['--tags', o.tags] : [])], machine.root, o)
    },
    async [Symbol.asyncDispose]() {
      server.close()
      await machine[Symbol.asyncDispose]()
    },
  }
}

/** The agent's names of disks, as paths of this box. */
function ofThisBox(agent: StepAgent): StepAgent {
  const mapped = (disk: StepDisk): StepDisk => ({ ...disk, name: join(agent.root, disk.name) })
  return {
    ...agent,
    rootDevice: async (hints) => mapped(await agent.rootDevice(hints)),
    erasableDisks: async () => (await agent.erasableDisks()).map(mapped),
    writeConfigDrive: ({ name }, text) => agent.writeConfigDrive({ name: name.slice(agent.root.length) }, text),
  }
}

async function ansible(args: readonly string[], home: string, o: PlayOptions): Promise<string> {
  const child = spawn('ansible-playbook', args, {
    detached: true,
    env: { PATH: process.env.PATH, HOME: home, LC_ALL: 'C.UTF-8', ANSIBLE_CONFIG: join(PLAYBOOKS, 'ansible.cfg') },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
  }
  const kill = o.killed?.then(() => process.kill(-(child.pid ?? 0), 'SIGKILL'))
  const [code]: [number | null] = (await once(child, o.killed ? 'exit' : 'close')) as never
  await kill
  if (code === 0 || o.killed) return text
  throw new Error(text)
}
