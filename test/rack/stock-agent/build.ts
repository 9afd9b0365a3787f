/**
 * A deploy ramdisk with the stock ironic-python-agent, from Debian packages and PyPI. Never patches the agent. Built
 * once per recipe.
 */
import { chmod, copyFile, cp, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { runMmdebstrap } from '../../../pxe/ramdisk/mmdebstrap.ts'
import { cached } from '../cache.ts'
import { debianArchive } from '../os-image/archive.ts'
import type { Ramdisk } from '../ramdisk.ts'
import { CommandFailed, run } from '../run-program.ts'
import {
  AGENT,
  AGENT_FOLDER,
  DROPPED,
  KERNEL_PARAMETERS,
  PACKAGES,
  PODMAN_PACKAGES,
  recipeDigest,
  SUITE,
} from './recipe.ts'

/** PyPI did not give the agent; the message says what pip said. */
export class AgentNotServed extends Error {}

const KERNEL = 'vmlinuz'
const CORE = 'stock-agent.cpio.zst'
const LENT = ['/etc/resolv.conf', '/etc/ssl/certs/ca-certificates.crt']
const MMDEBSTRAP_DEADLINE_MS = 1200_000
const PIP_DEADLINE_S = 300
/** A server that does not answer is given up soon: the test is to be skipped then. */
const PIP_OPTIONS = ['--no-cache-dir', '--retries', '2', '--timeout', '20']

/**
 * @param o.podman  with what its bootc deploy needs
 * @throws AgentNotServed; Error  the builder's last words
 */
export async function ensureStockAgent(signal: AbortSignal, { podman = false } = {}): Promise<Ramdisk> {
  const digest = `${recipeDigest()}${podman ? '-podman' : ''}`
  const packages = podman ? [...PACKAGES, ...PODMAN_PACKAGES] : PACKAGES
  const folder = await cached('stock-agent', digest, (work) => assemble(work, { digest, packages, signal }))
  const sizes = await Promise.all([KERNEL, CORE].map(async (name) => (await stat(join(folder, name))).size))
  return { folder, bytes: sizes.reduce((sum, size) => sum + size) }
}

type Recipe = { digest: string; packages: readonly string[]; signal: AbortSignal }

async function assemble(work: string, { digest, packages, signal }: Recipe): Promise<void> {
  const root = join(work, 'root')
  await mkdir(work, { recursive: true })
  await installPackages(root, packages, signal)
  await installAgent(root, signal)
  await copyKernel(root, join(work, KERNEL))
  for (const name of DROPPED) await rm(join(root, name), { recursive: true, force: true })
  await addOwnFiles(root)
  const pack = 'find . -mindepth 1 | cpio --quiet -o -H newc | zstd -q -T0 -9 -o "$1"'
  await run('sh', ['-ec', pack, 'pack', join(work, CORE)], { cwd: root, signal })
  await rm(root, { recursive: true })
  const index = { kernel: KERNEL, core: [CORE], digest, kernel_params: KERNEL_PARAMETERS }
  await writeFile(join(work, 'ramdisk.json'), `${JSON.stringify(index, null, 2)}\n`)
}

async function installPackages(root: string, packages: readonly string[], signal: AbortSignal): Promise<void> {
  const options = [
    ...['--mode=root', '--variant=minbase', '--components=main', '--aptopt=Acquire::Languages "none"'],
    ...['man', 'doc', 'locale'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
    `--include=${packages.join(',')}`,
  ]
  const archive = await debianArchive(signal)
  const temporary = `${root}.tmp`
  await runMmdebstrap([...options, SUITE, root, archive], { temporary, timeout_ms: MMDEBSTRAP_DEADLINE_MS, signal })
}

/**
 * With the ramdisk's own Python. The box lends it what it finds servers by and trusts them by, and its settings of
 * pip.
 */
async function installAgent(root: string, signal: AbortSignal): Promise<void> {
  for (const path of LENT) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await rm(join(root, path), { force: true })
    // A box without certificates leaves pip to those it brings.
    await copyFile(path, join(root, path)).catch(() => {})
  }
  const env = { ...process.env, PIP_FIND_LINKS: '' }
  const inside = (program: string, ...args: string[]) =>
    run('chroot', [root, program, ...args], { signal, env, timeout_s: PIP_DEADLINE_S })
  await inside('/usr/bin/python3', '-m', 'venv', AGENT_FOLDER)
  await inside(`${AGENT_FOLDER}/bin/pip`, 'install', ...PIP_OPTIONS, AGENT).catch((error) => {
    if (signal.aborted || !(error instanceof CommandFailed)) throw error
    throw new AgentNotServed(`PyPI does not give ${AGENT}: ${error.message}`, { cause: error })
  })
  for (const path of LENT) await rm(join(root, path), { force: true })
}

async function copyKernel(root: string, to: string): Promise<void> {
  const [name] = (await readdir(join(root, 'boot'))).filter((file) => file.startsWith('vmlinuz-'))
  if (name === undefined) throw new Error(`the packages of ${SUITE} brought no kernel`)
  await copyFile(join(root, 'boot', name), to)
}

async function addOwnFiles(root: string): Promise<void> {
  const overlay = join(import.meta.dirname, 'overlay')
  await mkdir(join(root, 'dev'))
  for (const file of await readdir(overlay, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue
    const name = join(file.parentPath, file.name).slice(overlay.length + 1)
    await cp(join(overlay, name), join(root, name))
    await chmod(join(root, name), 0o755)
  }
}
