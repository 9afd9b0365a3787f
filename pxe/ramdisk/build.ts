/** Builds the deploy ramdisk from Debian packages, the Node binary and the agent. Never changes the box it runs on. */
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { compressArchive, type Entry, packCpio } from './cpio.ts'
import { stripped } from './elf.ts'
import { appears, writeDurably } from './files.ts'
import { kernelModules } from './kernel-modules.ts'
import { filesOf, librariesOf } from './libraries.ts'
import { linkAgent } from './link-agent.ts'
import { unpackPackages } from './packages.ts'
import type { Flavour } from './recipe.ts'
import * as recipe from './recipe.ts'

export type BuildOptions = {
  /** Gets ramdisk.json and the files that it names. */
  output: string
  /** Keeps what takes long to make; may be emptied at any time. */
  cache: string
  flavour: Flavour
  log(message: string, fields?: Record<string, unknown>): void
  signal: AbortSignal
  /** Address of a Debian archive, when it is not to be the one of this box's apt sources. */
  mirror?: string
}
export type Ramdisk = { path: string; digest: string; bytes: number }
/** One file of the ramdisk, before it has a name. */
type Piece = { name: string; content: Buffer }

const HERE = import.meta.dirname
/** Whatever changes what comes out of the slow part; the agent and init are packed anew each time. */
const SLOW_SOURCES = ['recipe.ts', 'packages.ts', 'libraries.ts', 'kernel-modules.ts', 'elf.ts', 'cpio.ts', 'build.ts']
const SLOW_PIECES = ['kernel', 'base', 'modules', 'node'] as const

/**
 * @returns where it is, the digest of its recipe, and the bytes that a machine fetches
 * @throws Error  a Debian package is missing on this box, no network, no space
 */
export async function buildRamdisk(options: BuildOptions): Promise<Ramdisk> {
  const node = nodeBinary()
  const slowDigest = await digestOf([...SLOW_SOURCES.map((file) => join(HERE, file)), node], options.flavour)
  const agent = await agentPiece()
  const digest = `sha256:${sha256(slowDigest, agent)}`
  const present = await presentRamdisk(options.output, digest)
  if (present) return present
  const slow = await slowPieces(options, slowDigest, node)
  const last = { name: 'agent', content: await compressArchive(agent) }
  const ramdisk = await publish(options.output, digest, [...slow, last])
  options.log('deploy ramdisk built', { path: options.output, digest, bytes: ramdisk.bytes, flavour: options.flavour })
  return ramdisk
}

const sha256 = (...parts: readonly (string | Buffer)[]) =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex')

async function digestOf(files: readonly string[], flavour: Flavour): Promise<string> {
  return sha256(flavour, process.arch, ...(await Promise.all(files.map((file) => readFile(file)))))
}

/** The package that also runs the appliance; its place depends on where npm put it. */
function nodeBinary(): string {
  const name = `node-linux-${process.arch}`
  try {
    return join(createRequire(import.meta.url).resolve(`${name}/package.json`), '../bin/node')
  } catch {
    // A Node of the same version from elsewhere does as well: it runs this very code.
    return process.execPath
  }
}

async function presentRamdisk(output: string, digest: string): Promise<Ramdisk | undefined> {
  const text = await readFile(join(output, 'ramdisk.json'), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const found = JSON.parse(text)
  if (found.digest !== digest) return undefined
  const files = await Promise.all(
    [found.kernel, ...found.core].map((name: string) => readFile(join(output, name)).catch(() => undefined)),
  )
  // A file that someone deleted is made again.
  if (!files.every((file) => file !== undefined)) return undefined
  return { path: output, digest, bytes: files.reduce((sum, file) => sum + file.length, 0) }
}

/** Kernel, base, modules and Node, from the cache or made and put there. */
async function slowPieces(options: BuildOptions, digest: string, node: string): Promise<Piece[]> {
  const folder = join(options.cache, digest.slice(0, 16))
  if (!(await readdir(folder).catch(() => undefined))) {
    options.log('unpacking packages for the deploy ramdisk', { suite: recipe.SUITE, flavour: options.flavour })
    await appears(folder, async (temporary) => {
      for (const { name, content } of await makeSlowPieces(options, node))
        await writeDurably(join(temporary, name), content)
    })
  }
  return Promise.all(SLOW_PIECES.map(async (name) => ({ name, content: await readFile(join(folder, name)) })))
}

async function makeSlowPieces({ cache, flavour, signal, mirror }: BuildOptions, node: string): Promise<Piece[]> {
  const architecture = recipe.ARCHITECTURES[process.arch]
  if (!architecture)
    throw new Error(`No ramdisk for ${process.arch}: only ${Object.keys(recipe.ARCHITECTURES)} are known`)
  const kernel = recipe.kernelRecipe(flavour, architecture)
  const folder = await mkdtemp(join(cache, 'packages-'))
  const root = join(folder, 'root')
  try {
    const packages = [...recipe.PACKAGES, kernel.package, ...kernel.firmware]
    await unpackPackages({ packages, components: kernel.components, folder: root, mirror, signal })
    const nodeContent = stripped(await readFile(node))
    const archives: readonly (readonly [string, Entry[]])[] = [
      ['base', await baseEntries(root, architecture, nodeContent)],
      ['modules', await kernelModules(root, kernel, signal)],
      ['node', [{ path: 'usr/bin/node', kind: 'file', content: nodeContent, executable: true }]],
    ]
    const pieces = archives.map(async ([name, entries]) => ({
      name,
      content: await compressArchive(packCpio(entries)),
    }))
    return [{ name: 'kernel', content: await kernelOf(root) }, ...(await Promise.all(pieces))]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function kernelOf(root: string): Promise<Buffer> {
  const name = (await readdir(join(root, 'boot'))).find((file) => file.startsWith('vmlinuz-'))
  if (!name) throw new Error('The kernel package has no vmlinuz: the recipe is out of date')
  return readFile(join(root, 'boot', name))
}

async function baseEntries(root: string, { triplet, loader }: recipe.Architecture, node: Buffer): Promise<Entry[]> {
  const programs = (await Promise.all(recipe.PROGRAMS.map((path) => filesOf(root, path)))).flat()
  const contents = programs.flatMap((entry) => (entry.kind === 'file' ? entry.content : []))
  return [
    ...recipe.FOLDERS.map((path): Entry => ({ path, kind: 'folder' })),
    ...Object.entries(recipe.LINKS).map(([path, target]): Entry => ({ path, kind: 'link', target })),
    // The kernel opens it for init before anything is mounted.
    { path: 'dev/console', kind: 'device', major: 5, minor: 1 },
    ...programs,
    ...(await filesOf(root, loader)),
    ...(await librariesOf(root, triplet, [...contents, node])),
    ...recipe.APPLETS.map((name): Entry => ({ path: `usr/bin/${name}`, kind: 'link', target: 'busybox' })),
  ]
}

/** The agent as one script, and the files of root/ as they stand. */
async function agentPiece(): Promise<Buffer> {
  const root = join(HERE, 'root')
  const names = (await readdir(root, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
  const paths = names.map((entry) => join(entry.parentPath, entry.name)).sort()
  const files = await Promise.all(
    paths.map(async (path): Promise<Entry> => {
      const content = await readFile(path)
      return {
        path: path.slice(root.length + 1),
        kind: 'file',
        content,
        executable: content.toString('latin1', 0, 2) === '#!',
      }
    }),
  )
  const script = Buffer.from(await linkAgent(join(HERE, 'agent/main.ts')))
  return packCpio([...files, { path: 'usr/lib/rackstrap/agent.js', kind: 'file', content: script }])
}

/**
 * Names hold the content's digest, and ramdisk.json changes last: who reads it finds either the old set or the new one.
 * The set before stays for machines that are just booting it; older ones go.
 */
async function publish(output: string, digest: string, pieces: readonly Piece[]): Promise<Ramdisk> {
  const files = pieces.map(({ name, content }) => {
    const suffix = name === 'kernel' ? '' : '.cpio.zst'
    return { name: `${name === 'kernel' ? 'vmlinuz' : name}-${sha256(content).slice(0, 12)}${suffix}`, content }
  })
  const before = await readFile(join(output, 'ramdisk.json'), 'utf8').catch(() => '')
  for (const { name, content } of files) await writeDurably(join(output, name), content)
  const [kernel, ...core] = files.map(({ name }) => name)
  const index = { kernel, core, layers: {}, digest, kernel_params: recipe.KERNEL_PARAMETERS }
  const text = `${JSON.stringify(index, null, 2)}\n`
  await writeDurably(join(output, 'ramdisk.json'), Buffer.from(text))
  for (const name of await readdir(output)) {
    if (/^(vmlinuz|base|modules|node|agent)-/.test(name) && !text.includes(name) && !before.includes(name)) {
      await rm(join(output, name))
    }
  }
  return { path: output, digest, bytes: files.reduce((sum, { content }) => sum + content.length, 0) }
}
