/** Kernel, base, modules and Node: what takes a quarter of a minute to make, kept in a cache under the digest of its recipe. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { PxeError } from '../config.ts'
import { compressArchive, type Entry, packCpio } from './cpio.ts'
import { stripped } from './elf.ts'
import { appears, removeLeftovers, sha256, writeDurably } from './files.ts'
import { kernelModules } from './kernel-modules.ts'
import { filesOf, librariesOf } from './libraries.ts'
import { unpackPackages } from './packages.ts'
import type { Piece } from './publish.ts'
import * as recipe from './recipe.ts'
import { readIn, resolveIn } from './rootfs.ts'

export type SlowOptions = {
  cache: string
  flavour: recipe.Flavour
  log(message: string, fields?: Record<string, unknown>): void
  signal: AbortSignal
  mirror?: string | undefined
  /** Path of the Node binary that goes into the ramdisk. */
  node: string
}

/** Whatever changes what comes out of the slow part; the agent and init are packed anew each time. */
const SOURCES = ['recipe', 'packages', 'libraries', 'kernel-modules', 'rootfs', 'elf', 'cpio', 'slow-pieces']
const NAMES = ['kernel', 'base', 'modules', 'node'] as const
const DIGEST_LENGTH = 16
const FINISHED = new RegExp(`^[0-9a-f]{${DIGEST_LENGTH}}$`)
/** Both flavours, and both of the version before. */
const KEPT = 4

export async function slowDigest(flavour: recipe.Flavour, node: string): Promise<string> {
  const files = [...SOURCES.map((name) => join(import.meta.dirname, `${name}.ts`)), node]
  return sha256(flavour, process.arch, ...(await Promise.all(files.map((file) => readFile(file)))))
}

/** From the cache, or made and put there. */
export async function slowPieces(options: SlowOptions, digest: string): Promise<Piece[]> {
  await mkdir(options.cache, { recursive: true })
  const folder = join(options.cache, digest.slice(0, DIGEST_LENGTH))
  if (!(await readdir(folder).catch(() => undefined))) {
    await removeLeftovers(options.cache, /^(packages-|[0-9a-f]+\.)/)
    await appears(folder, async (temporary) => {
      for (const { name, content } of await make(options)) await writeDurably(join(temporary, name), content)
    })
  }
  await utimes(folder, new Date(), new Date())
  await forgetOldest(options.cache)
  return Promise.all(NAMES.map(async (name) => ({ name, content: await readFile(join(folder, name)) })))
}

async function forgetOldest(cache: string): Promise<void> {
  const names = (await readdir(cache)).filter((name) => FINISHED.test(name))
  const used = await Promise.all(names.map(async (name) => ({ name, at: (await stat(join(cache, name))).mtimeMs })))
  const old = used.sort((a, b) => b.at - a.at).slice(KEPT)
  for (const { name } of old) await rm(join(cache, name), { recursive: true, force: true })
}

async function make(options: SlowOptions): Promise<Piece[]> {
  const { cache, flavour, log, signal, mirror, node } = options
  const architecture = recipe.ARCHITECTURES[process.arch]
  if (!architecture) {
    const known = Object.keys(recipe.ARCHITECTURES).join(', ')
    throw new PxeError(`There is no ramdisk for machines like this one (${process.arch}): it can be built on ${known}.`)
  }
  const kernel = recipe.kernelRecipe(flavour, architecture)
  const folder = await mkdtemp(join(cache, 'packages-'))
  const root = join(folder, 'root')
  try {
    const packages = [...recipe.PACKAGES, kernel.package, ...kernel.firmware]
    log('fetching and unpacking Debian packages', { suite: recipe.SUITE, flavour, packages: packages.join(' ') })
    await unpackPackages({ packages, components: kernel.components, folder: root, mirror, signal })
    log('packing kernel modules, programs and Node', { flavour })
    return await pack(root, { architecture, kernel, node: stripped(await readFile(node)), signal })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

type PackOptions = {
  architecture: recipe.Architecture
  kernel: recipe.KernelRecipe
  node: Buffer
  signal: AbortSignal
}

async function pack(root: string, { architecture, kernel, node, signal }: PackOptions): Promise<Piece[]> {
  const archives: readonly (readonly [string, Entry[]])[] = [
    ['base', await baseEntries(root, architecture, node)],
    ['modules', await kernelModules(root, kernel, signal)],
    ['node', [{ path: 'usr/bin/node', kind: 'file', content: node, executable: true }]],
  ]
  signal.throwIfAborted()
  const pieces = archives.map(async ([name, entries]) => ({ name, content: await compressArchive(packCpio(entries)) }))
  return [{ name: 'kernel', content: await kernelOf(root) }, ...(await Promise.all(pieces))]
}

async function kernelOf(root: string): Promise<Buffer> {
  const name = (await readdir(join(root, await resolveIn(root, 'boot')))).find((file) => file.startsWith('vmlinuz-'))
  if (!name) throw new PxeError("The kernel's package has no vmlinuz: the ramdisk's recipe is out of date.")
  return readIn(root, `boot/${name}`)
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
