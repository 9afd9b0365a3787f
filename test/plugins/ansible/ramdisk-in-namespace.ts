/**
 * The deploy ramdisk with the layer `ssh`, unpacked into a folder and living in namespaces of its own: its sshd listens
 * on a loopback that nobody else sees, and everything in it ends with it. Needs root; boots no kernel.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { CHECKOUT } from '../../rack/cache.ts'
import { ensureRamdisk } from '../../rack/ramdisk.ts'
import { type RunOptions, run } from '../../rack/run-program.ts'

export type RamdiskInNamespace = AsyncDisposable & {
  /** Where the machine's files are. */
  root: string
  /** Folder of this test, outside of the machine. */
  work: string
  /** The private key of the account. */
  key: string
  /** On the machine. */
  inside(program: string, ...args: string[]): Promise<string>
  /** On the box, which reaches the machine at 127.0.0.1. */
  beside(program: string, args: readonly string[], options?: RunOptions): Promise<string>
  /** What the layer's `start` returns. */
  start(): Promise<unknown>
}

const START = `
const { execFile } = require('node:child_process')
const run = (name, args) => new Promise((resolve, reject) =>
  execFile(name, args, (error, stdout) => error ? reject(error) : resolve(stdout)))
require('/usr/lib/rackstrap/steps/ssh.js').start({ root: '/', programs: { run } })
  .then((facts) => console.log(JSON.stringify(facts)))
`
const TRAILER = 'TRAILER!!!\0'
const MAGIC = '070701'
const HEADER_BYTES = 110
const NAMESPACES = ['--net', '--mount', '--uts', '--pid', '--fork', '--kill-child']

export async function ramdiskInNamespace(signal: AbortSignal): Promise<RamdiskInNamespace> {
  const work = await mkdtemp(join(tmpdir(), 'ramdisk-'))
  const [root, key] = [join(work, 'root'), join(work, 'key')]
  await unpack(root, signal)
  // As the kernel has it when the initial ramdisk lies in a tmpfs.
  await chmod(root, 0o1777)
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key])
  await mkdir(join(root, 'etc/ssh/authorized_keys.d'), { recursive: true })
  await writeFile(join(root, 'etc/ssh/authorized_keys.d/ansible'), await readFile(`${key}.pub`), { mode: 0o644 })
  const keeper = spawn('unshare', [...NAMESPACES, 'sleep', 'infinity'], { stdio: 'ignore' })
  const pid = await firstChild(keeper)
  const beside: RamdiskInNamespace['beside'] = (program, args, options) =>
    run('nsenter', ['-t', pid, '--net', '--mount', '--uts', '--pid', program, ...args], { signal, ...options })
  const env = { PATH: '/usr/bin:/usr/sbin' }
  const inside = (program: string, ...args: string[]) => beside('/usr/sbin/chroot', [root, program, ...args], { env })
  await beside('ip', ['link', 'set', 'lo', 'up'])
  await beside('hostname', ['rackstrap-agent'])
  for (const kind of ['proc', 'sysfs', 'devtmpfs'])
    await beside('mount', ['-t', kind, kind, join(root, kind.replace(/fs$|tmpfs$/g, ''))])
  return {
    ...{ root, work, key, inside, beside },
    async start() {
      return JSON.parse(await inside('/usr/bin/node', '-e', START))
    },
    async [Symbol.asyncDispose]() {
      keeper.kill('SIGKILL')
      if (keeper.exitCode === null && keeper.signalCode === null) await once(keeper, 'exit')
      await rm(work, { recursive: true, force: true })
    },
  }
}

async function unpack(root: string, signal: AbortSignal): Promise<void> {
  const { folder } = await ensureRamdisk(signal)
  const { core, layers } = JSON.parse(await readFile(join(folder, 'ramdisk.json'), 'utf8'))
  await mkdir(root)
  for (const file of [...core, layers.ssh]) {
    const unpacked = `${root}.cpio`
    await run('zstd', ['-dqf', join(folder, file), '-o', unpacked], { signal })
    for (const archive of archivesIn(await readFile(unpacked))) {
      await writeFile(unpacked, archive)
      await run('cpio', ['-idmu', '--quiet', '-F', unpacked], { cwd: root, signal })
    }
  }
}

/** A layer is several archives, one after the other; cpio reads the first of them only. */
function archivesIn(bytes: Buffer): Buffer[] {
  const archives: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    let trailer = bytes.indexOf(TRAILER, at)
    // Programs that know the format have the word in them, too.
    while (bytes.toString('latin1', trailer - HEADER_BYTES, trailer - HEADER_BYTES + MAGIC.length) !== MAGIC) {
      trailer = bytes.indexOf(TRAILER, trailer + 1)
    }
    const end = Math.ceil((trailer + TRAILER.length) / 4) * 4
    archives.push(bytes.subarray(at, end))
    at = end
  }
  return archives
}

/** Of unshare: the first process of the namespaces. */
async function firstChild({ pid }: ChildProcess): Promise<string> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const [child] = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ')
    if (child) return child
    await pause(10)
  }
  throw new Error('unshare made no process within 5 s')
}

/** Environment for ansible on the box: nothing of the person who runs the tests. */
export const ansibleEnv = ({ work, key }: Pick<RamdiskInNamespace, 'work' | 'key'>): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH,
  LC_ALL: 'C.UTF-8',
  HOME: work,
  ANSIBLE_PIPELINING: 'True',
  ANSIBLE_PRIVATE_KEY_FILE: key,
  ANSIBLE_REMOTE_USER: 'ansible',
  ANSIBLE_SSH_ARGS: `-o UserKnownHostsFile=${join(work, 'known_hosts')} -o StrictHostKeyChecking=yes`,
  ANSIBLE_CONFIG: join(CHECKOUT, 'none.cfg'),
})
