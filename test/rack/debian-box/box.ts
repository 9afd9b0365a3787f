/**
 * A freshly installed Debian as a folder, entered by chroot: where a newcomer stands. It has this box's own way to
 * the registries, and a network namespace in which it has a card on the rack's side. No systemd runs in it, and no
 * machine.
 */
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { debianArchive } from '../os-image/archive.ts'
import { type RunOptions, run } from '../run-program.ts'
import { removeNetwork } from '../steel/network.ts'

export type Suite = 'bookworm' | 'trixie'
type Where = 'site' | 'rack'
export type DebianBox = {
  /** Its root folder, as this box sees it. */
  root: string
  /**
   * Runs lines of bash as root, until the first that fails.
   * @param where  site: with this box's own network; rack: with `eth1`, 192.168.50.1/24, and nothing else
   * @throws CommandFailed
   */
  run(script: string, where: Where, options?: RunOptions): Promise<string>
  remove(): Promise<void>
}

const CARD = 'eth1'
const ADDRESS = '192.168.50.1/24'
const GIT = 'mnt/rackstrap.git'
const INSTALL_DEADLINE_S = 900
/** Of this box, where it has them: how names, certificates and registries are reached. */
const CARRIED_IN = ['/etc/resolv.conf', '/etc/hosts', '/etc/npmrc']
/** Debian's own place is written anew when ca-certificates is installed. */
const TRUSTED = { here: '/etc/ssl/certs/ca-certificates.crt', inside: '/etc/ssl/carried-in.crt' }
/** systemctl as it is, but for `--now`: no systemd is there that could start anything. */
const SYSTEMCTL =
  '#!/bin/sh\nfor word; do shift; [ "$word" = --now ] || set -- "$@" "$word"; done\nexec /usr/bin/systemctl "$@"\n'

/** @param repository  of git, that the box clones from `file:///mnt/rackstrap.git` */
export async function installDebian(suite: Suite, repository: string, signal: AbortSignal): Promise<DebianBox> {
  const folder = await mkdtemp(join(tmpdir(), `debian-${suite}-`))
  const root = join(folder, 'root')
  const namespace = `box-${suite}-${process.pid}`
  const remove = async () => {
    await removeNetwork(namespace).catch(() => {
      // It was not made.
    })
    await rm(folder, { recursive: true, force: true })
  }
  try {
    // Mounts of its own: none is left in this box's view of the folder when it is killed.
    const install = ['--mount', '--propagation', 'private', 'mmdebstrap', '--variant=minbase', '--include=systemd']
    await run('unshare', [...install, suite, root, await debianArchive()], { signal, timeout_s: INSTALL_DEADLINE_S })
    await carryIn(root)
    await run('git', ['clone', '--quiet', '--bare', repository, join(root, GIT)], { signal })
    await createCard(namespace, signal)
  } catch (error) {
    await remove()
    throw error
  }
  return {
    root,
    run: (script, where, options) => enter(root, where === 'rack' ? namespace : undefined, script, options),
    remove,
  }
}

async function carryIn(root: string): Promise<void> {
  const put = async (path: string, content: string, mode = 0o644) => {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), content, { mode })
  }
  for (const path of CARRIED_IN) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await copyFile(path, join(root, path)).catch(ifThere)
  }
  await mkdir(join(root, dirname(TRUSTED.inside)), { recursive: true })
  await copyFile(TRUSTED.here, join(root, TRUSTED.inside)).catch(ifThere)
  await copyFile(join(homedir(), '.npmrc'), join(root, 'root/.npmrc')).catch(ifThere)
  const acquire = (await run('apt-config', ['dump', 'Acquire'])).split('\n').filter((line) => line.includes('"'))
  await put('etc/apt/apt.conf.d/90carried-in', `${acquire.join('\n')}\n`)
  // Who types the commands answers yes.
  await put('etc/apt/apt.conf.d/91yes', 'APT::Get::Assume-Yes "true";\n')
  await put('usr/local/bin/systemctl', SYSTEMCTL, 0o755)
  // The clone is another user's only because it was carried in.
  await put('root/.gitconfig', '[safe]\n\tdirectory = *\n')
}

function ifThere(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}

async function createCard(namespace: string, signal: AbortSignal): Promise<void> {
  await run('ip', ['netns', 'add', namespace], { signal })
  const steps = [
    'link set lo up',
    `link add ${CARD} type bridge`,
    `addr add ${ADDRESS} dev ${CARD}`,
    `link set ${CARD} up`,
  ]
  await run('ip', ['-netns', namespace, '-batch', '-'], { signal, input: `${steps.join('\n')}\n` })
}

/**
 * Mounts and processes are the script's own, and end with it: another appliance's dnsmasq with the same path is not
 * seen.
 */
function enter(root: string, namespace: string | undefined, script: string, options: RunOptions = {}): Promise<string> {
  const inside =
    'script=$(cat) && mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && mount --rbind /sys "$0/sys" && exec chroot "$0" /usr/bin/env -i HOME=/root npm_config_cafile="$1" LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin bash -euo pipefail -c "$script" < /dev/null'
  const command = ['unshare', '--mount', '--pid', '--fork', '--kill-child', 'bash', '-c', inside, root, TRUSTED.inside]
  const [program = '', ...args] = namespace === undefined ? command : ['ip', 'netns', 'exec', namespace, ...command]
  return run(program, args, { ...options, input: script })
}

/** A unit's settings as they stand in its file; the last of a name. */
export async function readUnit(box: DebianBox, path: string): Promise<Record<string, string>> {
  const lines = (await readFile(join(box.root, path), 'utf8')).split('\n')
  return Object.fromEntries(lines.flatMap((line) => (/^\w+=/.test(line) ? [line.split(/=(.*)/s).slice(0, 2)] : [])))
}
