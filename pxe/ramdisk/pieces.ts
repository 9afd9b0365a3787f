/** Takes what the recipe names from unpacked packages: the pieces of the core, and what packages bring to a layer. */
import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { PxeError } from '../config.ts'
import { compressArchive, type Entry, packCpio } from './cpio.ts'
import { isElf, stripped } from './elf.ts'
import { kernelModules, layerModules, modulesFolder } from './kernel-modules.ts'
import type { LayerRecipe } from './layer.ts'
import { filesBelow, filesOf, librariesOf } from './libraries.ts'
import type { Piece } from './publish.ts'
import * as recipe from './recipe.ts'
import { readIn, resolveIn } from './rootfs.ts'

/** What layers must know of the core. */
export type CoreFacts = {
  /** Version. */
  kernel: string
  /** Of libraries and kernel modules: a layer brings no second one. */
  paths: string[]
}
type Making = { architecture: recipe.Architecture; kernel: recipe.KernelRecipe; signal: AbortSignal }

export async function makeCore(
  root: string,
  { architecture, kernel, node, signal }: Making & { node: Buffer },
): Promise<{ pieces: Piece[]; facts: CoreFacts }> {
  const binary = stripped(node)
  const { base, libraries } = await baseEntries(root, architecture, binary)
  const modules = await kernelModules(root, kernel, signal)
  const archives: readonly (readonly [string, Entry[]])[] = [
    ['base', base],
    ['modules', modules],
    ['node', [{ path: 'usr/bin/node', kind: 'file', content: binary, executable: true }]],
  ]
  signal.throwIfAborted()
  const pieces = archives.map(async ([name, entries]) => ({ name, content: await compressArchive(packCpio(entries)) }))
  return {
    pieces: [{ name: 'kernel', content: await kernelOf(root) }, ...(await Promise.all(pieces))],
    facts: {
      kernel: basename(await modulesFolder(root)),
      paths: [...libraries, ...modules.filter(({ path }) => path.endsWith('.ko'))].map(({ path }) => path),
    },
  }
}

async function kernelOf(root: string): Promise<Buffer> {
  const name = (await readdir(join(root, await resolveIn(root, 'boot')))).find((file) => file.startsWith('vmlinuz-'))
  if (!name) throw new PxeError("The kernel's package has no vmlinuz: the ramdisk's recipe is out of date.")
  return readIn(root, `boot/${name}`)
}

async function baseEntries(
  root: string,
  { triplet, loader }: recipe.Architecture,
  node: Buffer,
): Promise<{ base: Entry[]; libraries: Entry[] }> {
  const programs = (await Promise.all(recipe.PROGRAMS.map((path) => filesOf(root, path)))).flat()
  const libraries = [
    ...(await filesOf(root, loader)),
    ...(await librariesOf(root, triplet, [...contentsOf(programs), node])),
  ]
  const base: Entry[] = [
    ...recipe.FOLDERS.map((path): Entry => ({ path, kind: 'folder' })),
    ...Object.entries(recipe.LINKS).map(([path, target]): Entry => ({ path, kind: 'link', target })),
    // The kernel opens it for init before anything is mounted.
    { path: 'dev/console', kind: 'device', major: 5, minor: 1 },
    ...programs,
    ...libraries,
    ...recipe.APPLETS.map((name): Entry => ({ path: `usr/bin/${name}`, kind: 'link', target: 'busybox' })),
  ]
  return { base, libraries }
}

const contentsOf = (entries: readonly Entry[]) =>
  entries.flatMap((entry) => (entry.kind === 'file' && isElf(entry.content) ? entry.content : []))

/** @returns the kernel's version when the layer has modules. @throws PxeError  something that no package has */
export async function makeLayer(
  root: string,
  { layer, architecture, kernel, core, signal }: Making & { layer: LayerRecipe; core: CoreFacts },
): Promise<{ kernel: string | undefined; entries: Entry[] }> {
  const { triplet } = architecture
  const present = new Set(core.paths)
  try {
    const named = layer.programs.map((path) => path.replaceAll('{triplet}', triplet))
    const files = (
      await Promise.all(named.map((path) => (path.endsWith('/') ? filesBelow(root, path) : filesOf(root, path))))
    ).flat()
    const libraries = await librariesOf(root, triplet, contentsOf(files))
    const modules = { name: layer.name, recipe: { ...kernel, modules: layer.modules, without: [] }, present }
    const has = layer.modules.length > 0
    return {
      kernel: has ? basename(await modulesFolder(root)) : undefined,
      entries: [
        ...files,
        // The dynamic loader is the core's, and fits to its own C library only.
        ...libraries.filter(({ path }) => !present.has(path)),
        ...Object.entries(layer.links).map(([path, target]): Entry => ({ path, kind: 'link', target })),
        ...(has ? await layerModules(root, modules, signal) : []),
      ],
    }
  } catch (error) {
    if (!(error instanceof PxeError)) throw error
    throw new PxeError(`Layer ${layer.name} cannot be made: ${error.message}`, { cause: error })
  }
}
