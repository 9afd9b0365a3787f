/** The plugin ansible on this box: real ansible-core, over a real sshd on loopback in the place of a machine. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { exec } from '../../appliance/conductor/plugin/exec.ts'
import type { Json, Progress, Task } from '../../appliance/plugin-api/index.ts'
import {
  createTaskOnPaper,
  IMAGE_FIELDS,
  NODE_UUID,
  type TaskSetting,
} from '../../appliance/plugin-testing/task-on-paper.ts'
import plugin from '../../plugins/ansible/index.ts'
import type { AnsibleTask } from '../../plugins/ansible/node-fields.ts'

const SSHD = '/usr/sbin/sshd'
const DEADLINE_MS = 20_000
/** undefined: what these tests need is here. */
export const LACKING = [SSHD, '/usr/bin/ansible-playbook'].find((file) => !existsSync(file))
const ACCOUNT = userInfo().username

/** As Ironic's playbooks begin. */
const ADD_NODES = `- hosts: conductor
  gather_facts: no
  tasks:
    - add_host:
        group: ironic
        hostname: "{{ item.name }}"
        ansible_host: "{{ item.ip }}"
        ansible_user: "{{ item.user }}"
        ironic_extra: "{{ item.extra | default({}) }}"
      with_items: "{{ ironic.nodes }}"
      tags: always
`

export type Rig = AsyncDisposable & {
  folder: string
  log_path: string
  /** Of the sshd: what a heartbeat tells. */
  hostKey: string
  told: Progress[]
  /** Writes playbooks: `tasks` is YAML of a list, indented by nothing. */
  playbook(name: string, tasks: string): Promise<void>
  task(setting?: TaskSetting): AnsibleTask
}

export async function createRig(): Promise<Rig> {
  const folder = await mkdtemp(join(tmpdir(), 'rackstrap-ansible-'))
  const [procedure, playbooks] = [join(folder, 'p'), join(folder, 'playbooks')]
  for (const each of [procedure, playbooks]) await mkdir(each, { mode: 0o700 })
  await writeFile(join(playbooks, 'inventory'), 'conductor ansible_connection=local\n')
  await writeFile(join(playbooks, 'add-ironic-nodes.yaml'), ADD_NODES)
  /** As in an appliance whose state_path this is. */
  const hidden = { paths: [folder], but: [] }
  const box = { signal: AbortSignal.timeout(600_000), node_uuid: NODE_UUID }
  await exec('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', join(folder, 'host')], {}, box)
  await exec('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', join(procedure, 'id_ed25519')], {}, box)
  const { port, child } = await startSshd(folder, join(procedure, 'id_ed25519.pub'))
  const hostKey = (await readFile(join(folder, 'host.pub'), 'utf8')).trim()
  const told: Progress[] = []
  return {
    folder,
    log_path: join(folder, 'log'),
    hostKey,
    told,
    playbook: (name, tasks) =>
      writeFile(
        join(playbooks, name),
        `- import_playbook: add-ironic-nodes.yaml\n\n- hosts: ironic\n  gather_facts: false\n  tasks:\n${tasks.replace(/^(?=.)/gm, '    ')}`,
      ),
    task(setting = {}) {
      const { signal = box.signal } = setting
      const paper = createTaskOnPaper({
        options: plugin.options,
        facts: { ssh: { ssh_host_keys: [hostKey] } },
        ...setting,
        node: { ...setting.node, instance_info: { ...IMAGE_FIELDS, ...setting.node?.instance_info } },
        values: {
          playbooks_path: playbooks,
          log_path: join(folder, 'log'),
          default_username: ACCOUNT,
          ansible_extra_args: `-e ansible_port=${port}`,
          ...setting.values,
        },
      }).task
      return {
        ...pick(paper),
        agent: { ...pick(paper.agent), url: 'https://127.0.0.1:9999' },
        exec: (file, args, o = {}) => exec(file, args, o, { signal, node_uuid: NODE_UUID, hidden, folder: procedure }),
        folder: async () => procedure,
        progress: (progress: Progress) => void told.push(progress),
      } as Task as unknown as AnsibleTask
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** The paper's members, without what it refuses to be asked for. */
const pick = <T extends object>(paper: T): T => Object.fromEntries(Object.entries(paper)) as T

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function startSshd(folder: string, authorized: string): Promise<{ port: number; child: ChildProcess }> {
  const port = await freePort()
  // Where sshd, run by root, puts its unprivileged half.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 })
  const config = `Port ${port}
ListenAddress 127.0.0.1
HostKey ${folder}/host
PidFile none
AuthorizedKeysFile ${authorized}
PermitRootLogin prohibit-password
PasswordAuthentication no
StrictModes no
UsePAM no
`
  await writeFile(join(folder, 'sshd_config'), config)
  const child = spawn(SSHD, ['-D', '-e', '-f', join(folder, 'sshd_config')], { stdio: 'ignore' })
  for (const end_ms = performance.now() + DEADLINE_MS; ; await pause(20)) {
    const socket = connect(port, '127.0.0.1')
    const isUp = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (isUp) return { port, child }
    if (performance.now() > end_ms) throw new Error('sshd does not listen')
  }
}

export const variables = (extra: Json = {}): Json => ({
  nodes: [{ name: NODE_UUID, ip: '127.0.0.1', user: ACCOUNT, extra }],
})
