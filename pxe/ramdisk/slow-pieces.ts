/**
 * Caches what takes a quarter of a minute to make (kernel, base, modules, Node, packages of layers) by the digests of
 * their recipes.
 */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { PxeError } from '../config.ts'
import { compressArchive, packCpio } from './cpio.ts'
import { appears, removeLeftovers, sha256, writeDurably } from './files.ts'
import type { LayerRecipe } from './layer.ts'
import { unpackPackages } from './packages.ts'
import { type CoreFacts, makeCore, makeLayer } from './pieces.ts'
import type { Piece } from './publish.ts'
import * as recipe from './recipe.ts'

export type SlowOptions = {
  cache: string
  flavour: recipe.Flavour
  log(message: string, fields?: Record<string, unknown>): void
  signal: AbortSignal
  mirror?: string | undefined
  /** Path of the Node binary that goes into the ramdisk. */
  node: string
}
export type SlowPieces = {
  core: Piece[]
  /** What Debian's packages bring to each layer, by its name. */
  layers: ReadonlyMap<string, Buffer>
}

/**
 * Whatever changes what comes out of the slow part; the agent, init and the layers' own files are packed anew each
 * time.
 */
const SOURCES = [
  ...[
    'recipe',
    'packages',
    'mmdebstrap',
    'libraries',
    'kernel-modules',
    'rootfs',
    'elf',
    'cpio',
    'pieces',
    'slow-pieces',
  ],
].map((name) => join(import.meta.dirname, `${name}.ts`))
const NAMES = ['kernel', 'base', 'modules', 'node'] as const
const FACTS = 'facts.json'
const LAYER = 'layer'
const DIGEST_LENGTH = 16
const FINISHED = new RegExp(`^[0-9a-f]{${DIGEST_LENGTH}}$`)
/** Both flavours with a few layers, and all of the version before. */
const KEPT = 16

/** Of all that the core's pieces are made from. */
export async function coreDigest(flavour: recipe.Flavour, node: string): Promise<string> {
  return sha256(flavour, process.arch, ...(await Promise.all([...SOURCES, node].map((file) => readFile(file)))))
}

/** From the cache, or made and put there. @param digest  coreDigest */
export async function slowPieces(
  options: SlowOptions,
  digest: string,
  layers: readonly LayerRecipe[],
): Promise<SlowPieces> {
  const { cache, flavour } = options
  await mkdir(cache, { recursive: true })
  await removeLeftovers(cache, /^(packages-|[0-9a-f]+\.)/)
  const core = join(cache, digest.slice(0, DIGEST_LENGTH))
  try {
    return await piecesOf(options, core, layers)
  } catch (error) {
    if (!(error instanceof OtherKernel)) throw error
    options.log('Debian has a newer kernel than the cached core: making the core anew, too', { flavour })
    await rm(core, { recursive: true, force: true })
    return piecesOf(options, core, layers)
  } finally {
    await forgetOldest(cache)
  }
}

class OtherKernel extends PxeError {}

async function piecesOf(options: SlowOptions, core: string, layers: readonly LayerRecipe[]): Promise<SlowPieces> {
  await present(core, () => makeCorePieces(options))
  const facts: CoreFacts = JSON.parse(await readFile(join(core, FACTS), 'utf8'))
  const folders = layers.map((layer) => ({
    layer,
    folder: join(options.cache, sha256(core, facts.kernel, JSON.stringify(layer)).slice(0, DIGEST_LENGTH)),
  }))
  const absent = []
  for (const one of folders) if (!(await isUsed(one.folder))) absent.push(one)
  if (absent.length > 0) await makeLayers(options, facts, absent)
  return {
    core: await Promise.all(NAMES.map(async (name) => ({ name, content: await readFile(join(core, name)) }))),
    layers: new Map(
      await Promise.all(
        folders.map(async ({ layer, folder }) => [layer.name, await readFile(join(folder, LAYER))] as const),
      ),
    ),
  }
}

/** Marks it as used now. @returns whether it is there */
const isUsed = (folder: string) =>
  utimes(folder, new Date(), new Date()).then(
    () => true,
    () => false,
  )

async function present(folder: string, make: () => Promise<Piece[]>): Promise<void> {
  if (await isUsed(folder)) return
  await appears(folder, async (temporary) => {
    for (const { name, content } of await make()) await writeDurably(join(temporary, name), content)
  })
}

async function forgetOldest(cache: string): Promise<void> {
  const names = (await readdir(cache)).filter((name) => FINISHED.test(name))
  const used = await Promise.all(names.map(async (name) => ({ name, at: (await stat(join(cache, name))).mtimeMs })))
  const old = used.sort((a, b) => b.at - a.at).slice(KEPT)
  for (const { name } of old) await rm(join(cache, name), { recursive: true, force: true })
}

function architectureOfThisBox(): recipe.Architecture {
  const architecture = recipe.ARCHITECTURES[process.arch]
  if (architecture) return architecture
  const known = Object.keys(recipe.ARCHITECTURES).join(', ')
  throw new PxeError(`There is no ramdisk for machines like this one (${process.arch}): it can be built on ${known}.`)
}

async function makeCorePieces(options: SlowOptions): Promise<Piece[]> {
  const { flavour, log, signal, node } = options
  const architecture = architectureOfThisBox()
  const kernel = recipe.kernelRecipe(flavour, architecture)
  const packages = [...recipe.PACKAGES, kernel.package, ...kernel.firmware]
  return withPackages(options, { packages, components: kernel.components }, async (root) => {
    log('packing kernel modules, programs and Node', { flavour })
    const { pieces, facts } = await makeCore(root, { architecture, kernel, node: await readFile(node), signal })
    return [...pieces, { name: FACTS, content: Buffer.from(JSON.stringify(facts)) }]
  })
}

/** All from one unpacking. */
async function makeLayers(
  options: SlowOptions,
  core: CoreFacts,
  absent: readonly { layer: LayerRecipe; folder: string }[],
): Promise<void> {
  const { log, signal, flavour } = options
  const architecture = architectureOfThisBox()
  const kernel = recipe.kernelRecipe(flavour, architecture)
  const needsKernel = absent.some(({ layer }) => layer.modules.length > 0)
  const packages = [
    ...new Set([...absent.flatMap(({ layer }) => layer.packages), ...(needsKernel ? [kernel.package] : [])]),
  ]
  if (packages.length === 0) packages.push('libc6')
  await withPackages(options, { packages, components: ['main'] }, async (root) => {
    for (const { layer, folder } of absent) {
      log('packing a layer', { layer: layer.name, flavour })
      const { kernel: found, entries } = await makeLayer(root, { layer, architecture, kernel, core, signal })
      if (found !== undefined && found !== core.kernel)
        throw new OtherKernel(`The kernel is ${found}, not ${core.kernel}.`)
      const content = await compressArchive(packCpio(entries))
      await present(folder, async () => [{ name: LAYER, content }])
    }
  })
}

async function withPackages<T>(
  { cache, flavour, log, signal, mirror }: SlowOptions,
  { packages, components }: { packages: readonly string[]; components: readonly string[] },
  use: (root: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(cache, 'packages-'))
  const root = join(folder, 'root')
  try {
    log('fetching and unpacking Debian packages', { suite: recipe.SUITE, flavour, packages: packages.join(' ') })
    const tell = (doing: string) => log(doing, { suite: recipe.SUITE, flavour })
    await unpackPackages({ packages, components, folder: root, mirror, signal, tell })
    return await use(root)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
