/**
 * A fresh Debian in a folder, with the Node and npm that it brings; it reaches packages in the way of this box, and
 * no server is named here.
 */
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { debianArchive } from '../rack/os-image/archive.ts'
import { type RunOptions, run } from '../rack/run-program.ts'

export type Debian = AsyncDisposable & {
  root: string
  /** In a shell in /, as root or as newcomer, who has sudo. @returns what it wrote to stdout @throws CommandFailed */
  shell(script: string, options?: RunOptions & { user?: 'root' | 'newcomer' }): Promise<string>
}

/**
 * A mount namespace and process ids of its own: whatever is left running in there ends with the shell, which also
 * reaps it.
 */
const ENTER = [
  'mount --bind "$1" "$1"',
  'mount -t proc proc "$1/proc"',
  'mount -t sysfs sysfs "$1/sys"',
  'mount --rbind /dev "$1/dev"',
  'mount -t tmpfs tmpfs "$1/run"',
  'root=$1',
  'shift',
  'chroot "$root" "$@"',
].join(' && ')
const UNSHARE = ['--mount', '--pid', '--fork', '--kill-child', '--propagation', 'private']
/** passwd makes the newcomer: the smallest Debian 13 has no useradd. */
const PACKAGES = ['nodejs', 'npm', 'git', 'sudo', 'ca-certificates', 'passwd']
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt'
/** Of apt's configuration: what says how packages are reached, and nothing of what this box does with them. */
const REACHING = /^Acquire::(https?|ftp|Check|Max|Retries|ForceIPv)/

/** @param suite  bookworm is Debian 12, trixie Debian 13 */
export async function freshDebian(suite: 'bookworm' | 'trixie'): Promise<Debian> {
  // Not /tmp, which Debian 13 has in memory: this takes gigabytes.
  const folder = await mkdtemp('/var/tmp/rackstrap-debian-')
  const root = join(folder, 'root')
  const debian: Debian = {
    root,
    shell: (script, options) => shell(root, script, options),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true, maxRetries: 3 }),
  }
  try {
    await unpack(suite, folder, root)
  } catch (error) {
    await debian[Symbol.asyncDispose]()
    throw error
  }
  return debian
}

async function unpack(suite: string, folder: string, root: string): Promise<void> {
  const apt = (await run('apt-config', ['dump'], { timeout_s: 30 })).split('\n').filter((line) => REACHING.test(line))
  const aptFile = join(folder, 'apt.conf')
  await writeFile(aptFile, `${apt.join('\n')}\n`)
  const options = ['--mode=root', '--variant=apt', '--components=main', `--include=${PACKAGES.join(',')}`]
  // The folder is thrown away: a sync for each of hundreds of packages saves nothing.
  options.push(`--aptopt=${aptFile}`, '--dpkgopt=force-unsafe-io')
  // Mounts of its own: none is left in this box's view of the folder when it is killed.
  const own = ['--mount', '--propagation', 'private', 'mmdebstrap']
  await run('unshare', [...own, ...options, suite, root, await debianArchive()], { timeout_s: 1200 })
  for (const file of ['/etc/resolv.conf', '/etc/hosts']) await copyFile(file, join(root, file))
  await copyFile(process.env.NODE_EXTRA_CA_CERTS || CERTIFICATES, join(root, CERTIFICATES))
  const sudoer = 'newcomer ALL=(ALL) NOPASSWD: ALL'
  await shell(root, `useradd --create-home --shell /bin/bash newcomer && echo '${sudoer}' > /etc/sudoers.d/newcomer`)
}

async function shell(root: string, script: string, options: Parameters<Debian['shell']>[1] = {}): Promise<string> {
  const { user = 'root', ...others } = options
  const registry = (await run('npm', ['config', 'get', 'registry'], { cwd: '/', timeout_s: 60 })).trim()
  const proxies = Object.entries(process.env).filter(([name]) => /^(https?|no)_proxy$/i.test(name))
  const environment = [
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    `HOME=${user === 'root' ? '/root' : '/home/newcomer'}`,
    `npm_config_registry=${registry}`,
    `NODE_EXTRA_CA_CERTS=${CERTIFICATES}`,
    ...proxies.map(([name, value]) => `${name}=${value}`),
  ]
  const command = ['env', '-i', ...environment, 'bash', '-euc', script]
  const asUser =
    user === 'root' ? command : ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups', ...command]
  return run('unshare', [...UNSHARE, 'sh', '-c', ENTER, 'sh', root, ...asUser], others)
}
