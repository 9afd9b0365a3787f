/**
 * The stock agent's ramdisk with a layer of third-party hardware managers: one of ours (acme/), and upstream's own
 * example. Both are installed by the ramdisk's own pip. The stock ramdisk's files stay as they are.
 */
import { createHash } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { copyFile, cp, link, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { cached } from '../cache.ts'
import type { Ramdisk } from '../ramdisk.ts'
import { run } from '../run-program.ts'
import { ensureStockAgent } from '../stock-agent/build.ts'
import { AGENT, AGENT_FOLDER } from '../stock-agent/recipe.ts'

/** As nodes name it. */
export const LAYER = 'acme'
const FILE = 'acme.cpio.zst'
/** In the ramdisk while it is built. */
const PACKAGE = '/tmp/acme'
const SOURCES = '/tmp/sources'
const EXAMPLE = 'examples/business-logic'
const PIP_DEADLINE_S = 600
const PIP_OPTIONS = ['--no-cache-dir', '--retries', '2', '--timeout', '20']
/** By what the box finds servers, and trusts them. */
const LENT = ['/etc/resolv.conf', '/etc/ssl/certs/ca-certificates.crt']

type Index = { kernel: string; core: string[] }

/** @throws AgentNotServed; Error  the words of the program that failed */
export async function ensureHardwareManagers(signal: AbortSignal): Promise<Ramdisk> {
  const stock = await ensureStockAgent(signal)
  const index = JSON.parse(await readFile(join(stock.folder, 'ramdisk.json'), 'utf8')) as Index
  const digest = `${stock.folder.split('-').at(-1)}-${sourcesDigest()}`
  const folder = await cached('hardware-managers', digest, async (work) => {
    const root = join(work, 'root')
    await mkdir(root, { recursive: true })
    for (const name of index.core) {
      const unpack = 'zstd -dc "$1" | cpio -idm --quiet'
      await run('sh', ['-ec', unpack, 'unpack', join(stock.folder, name)], { cwd: root, signal })
    }
    const before = new Set(await packagesIn(root))
    await install(root, signal)
    const added = (await packagesIn(root)).filter((path) => !before.has(path))
    await pack(root, added, { file: join(work, FILE), signal })
    await rm(root, { recursive: true })
    for (const name of [index.kernel, ...index.core]) await link(join(stock.folder, name), join(work, name))
    await writeFile(join(work, 'ramdisk.json'), JSON.stringify({ ...index, layers: { [LAYER]: FILE } }))
  })
  const { size } = await stat(join(folder, FILE))
  return { folder, bytes: stock.bytes + size }
}

function sourcesDigest(): string {
  const hash = createHash('sha256')
  for (const name of globSync('**/*.*', { cwd: import.meta.dirname }).sort()) {
    hash.update(`${name}\0`).update(readFileSync(join(import.meta.dirname, name)))
  }
  return hash.digest('hex').slice(0, 12)
}

/** Paths of files and folders of the agent's environment, parents first. */
async function packagesIn(root: string): Promise<string[]> {
  const lib = join(AGENT_FOLDER, 'lib').slice(1)
  return (await readdir(join(root, lib), { recursive: true })).sort().map((name) => join(lib, name))
}

/** The example comes from the agent's own source package. */
async function install(root: string, signal: AbortSignal): Promise<void> {
  for (const path of LENT) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await copyFile(path, join(root, path)).catch(() => {})
  }
  await run('mknod', ['-m', '666', join(root, 'dev/null'), 'c', '1', '3'], { signal })
  await mkdir(join(root, SOURCES), { recursive: true })
  await cp(join(import.meta.dirname, 'acme'), join(root, PACKAGE), { recursive: true })
  const pip = (args: readonly string[], more: NodeJS.ProcessEnv = {}) =>
    run('chroot', [root, `${AGENT_FOLDER}/bin/pip`, ...args, ...PIP_OPTIONS], {
      signal,
      env: { ...process.env, PIP_FIND_LINKS: '', ...more },
      timeout_s: PIP_DEADLINE_S,
    })
  await pip(['download', '--no-deps', '--no-binary', 'ironic-python-agent', '--dest', SOURCES, AGENT])
  await run('sh', ['-ec', 'tar xzf *.tar.gz --strip-components=1'], { cwd: join(root, SOURCES), signal })
  // The example takes its version from a git repository, which is not there.
  await pip(['install', '--no-deps', PACKAGE, join(SOURCES, EXAMPLE)], { PBR_VERSION: '1.0.0' })
}

async function pack(
  root: string,
  paths: readonly string[],
  { file, signal }: { file: string; signal: AbortSignal },
): Promise<void> {
  const command = 'cpio --quiet -o -H newc | zstd -q -9 -o "$1"'
  await run('sh', ['-ec', command, 'pack', file], { cwd: root, input: `${paths.join('\n')}\n`, signal })
}
