/** Lets the appliance's ansible in: sshd with a host key of this boot, and a socket to the agent. Offers no step. */
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { rootCertificates } from 'node:tls'
import type { Facts, StepAgent } from '@appliance/pxe/agent-api'
import { listenForPlaybooks } from './agent-socket.ts'

/** Of etc/passwd in this layer. */
const ACCOUNT = { uid: 1000, gid: 1000, home: 'home/ansible' }
const RUN = 'run/sshd'
const SHARED_MEMORY = 'dev/shm'
const SUDO = 'usr/bin/sudo'
const SETUID = 0o4755
/** Where Debian's Python looks, and cannot do without: `import requests` fails when it is not there. */
const AUTHORITIES = 'etc/ssl/certs/ca-certificates.crt'

/**
 * Again in the same boot: the same key, and the sshd that runs already.
 * @returns what the appliance pins; the private key stays in the machine's memory
 */
export async function start(agent: StepAgent): Promise<Facts> {
  const at = (path: string) => join(agent.root, path)
  // An archive of the ramdisk gives everything to root, and no file more than its permissions.
  await chmod(at(SUDO), SETUID)
  await mkdir(at(ACCOUNT.home), { recursive: true })
  await chmod(at(ACCOUNT.home), 0o700)
  await chown(at(ACCOUNT.home), ACCOUNT.uid, ACCOUNT.gid)
  await mkdir(at(RUN), { recursive: true })
  // Without it, Python makes no semaphore, and ansible's facts lack the disks.
  await mkdir(at(SHARED_MEMORY), { recursive: true })
  await chmod(at(SHARED_MEMORY), 0o1777)
  await mkdir(dirname(at(AUTHORITIES)), { recursive: true })
  await writeFile(at(AUTHORITIES), `${rootCertificates.join('\n')}\n`, { flag: 'wx' }).catch(keepThere)
  const key = await hostKey(agent)
  await listenForPlaybooks(agent)
  if (!(await isRunning(agent))) await startSshd(agent)
  return { ssh_host_keys: [key] }
}

/** What the appliance put there stays. */
function keepThere(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}

async function hostKey({ root, programs }: StepAgent): Promise<string> {
  const file = join(root, RUN, 'ssh_host_ed25519_key')
  const there = () => readFile(`${file}.pub`, 'utf8').catch(() => undefined)
  if ((await there()) === undefined) {
    // Half of a pair is no pair.
    await programs.run('sh', ['-c', 'rm -f "$0" "$0.pub" && ssh-keygen -q -t ed25519 -N "" -C "" -f "$0"', file])
  }
  const [type, key] = ((await there()) ?? '').trim().split(' ')
  if (type !== 'ssh-ed25519' || !key) throw new Error(`${file}.pub holds no key: sshd was not started.`)
  return `${type} ${key}`
}

/** It goes to the background by itself, in a session of its own. */
const startSshd = ({ root, programs }: StepAgent) =>
  programs.run('sh', ['-c', 'exec "$0" -f "$1"', join(root, 'usr/sbin/sshd'), join(root, 'etc/ssh/sshd_config')])

async function isRunning({ root }: StepAgent): Promise<boolean> {
  const pid = Number(await readFile(join(root, RUN, 'sshd.pid'), 'utf8').catch(() => ''))
  if (!pid) return false
  const name = await readFile(join(root, 'proc', String(pid), 'comm'), 'utf8').catch(() => '')
  return name.trim() === 'sshd'
}
