/** Chooses kernel modules with all they depend on, and writes the tables that modprobe reads. Loads nothing. */
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { PxeError } from '../config.ts'
import type { Entry } from './cpio.ts'
import { sectionOf } from './elf.ts'
import type { KernelRecipe } from './recipe.ts'
import { readIn, resolveIn } from './rootfs.ts'

type Module = { name: string; path: string; content: Buffer; aliases: string[]; depends: string[]; firmware: string[] }

const run = promisify(execFile)
const BATCH = 200
const XZ_TIMEOUT_MS = 120_000
/** Where init looks for tables of layers. */
const TABLES = 'usr/lib/rackstrap/modules'
const COMPRESSED = /\.ko(\.xz)?$/
const nameOf = (path: string) => basename(path).replace(COMPRESSED, '').replaceAll('-', '_')

/**
 * @returns entries below usr/lib/modules/VERSION and usr/lib/firmware.
 * @throws PxeError  a module of the recipe that does not exist; no xz
 */
export async function kernelModules(root: string, recipe: KernelRecipe, signal: AbortSignal): Promise<Entry[]> {
  const folder = await modulesFolder(root)
  const modules = await chooseModules(join(root, folder), recipe, signal)
  const tables: Entry[] = [
    { path: `${folder}/modules.dep`, kind: 'file', content: Buffer.from(dependencyTable(modules)) },
    { path: `${folder}/modules.alias`, kind: 'file', content: Buffer.from(aliasTable(modules)) },
  ]
  return [...tables, ...filesIn(folder, modules), ...(await firmwareOf(root, modules))]
}

/**
 * What a layer brings beside the modules of the core, with tables of its own: init adds them to the core's.
 * @param present  paths that the core has
 */
export async function layerModules(
  root: string,
  { name, recipe, present }: { name: string; recipe: KernelRecipe; present: ReadonlySet<string> },
  signal: AbortSignal,
): Promise<Entry[]> {
  const folder = await modulesFolder(root)
  const all = await chooseModules(join(root, folder), recipe, signal)
  const own = all.filter(({ path }) => !present.has(`${folder}/${path}`))
  const isOwn = (line: string) => own.some(({ path }) => line.startsWith(`${path}:`))
  const dependencies = dependencyTable(all).match(/.*\n/g)?.filter(isOwn) ?? []
  return [
    { path: `${TABLES}/${name}.dep`, kind: 'file', content: Buffer.from(dependencies.join('')) },
    { path: `${TABLES}/${name}.alias`, kind: 'file', content: Buffer.from(aliasTable(own)) },
    ...filesIn(folder, own),
  ]
}

/** usr/lib/modules/VERSION. @throws PxeError  not one kernel */
export async function modulesFolder(root: string): Promise<string> {
  const parent = await resolveIn(root, 'usr/lib/modules')
  const [version, ...others] = await readdir(join(root, parent))
  if (version && others.length === 0) return `${parent}/${version}`
  throw new PxeError(`One kernel was wanted, found ${[version, ...others].filter(Boolean).join(', ') || 'none'}.`)
}

const filesIn = (folder: string, modules: readonly Module[]) =>
  modules.map(({ path, content }): Entry => ({ path: `${folder}/${path}`, kind: 'file', content }))

async function chooseModules(folder: string, recipe: KernelRecipe, signal: AbortSignal): Promise<Module[]> {
  const kernel = join(folder, 'kernel')
  // Files only: a link might lead anywhere on this box.
  const all = (await readdir(kernel, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && COMPRESSED.test(entry.name))
    .map((entry) => relative(kernel, join(entry.parentPath, entry.name)))
    .sort()
  const byName = new Map(all.map((path) => [nameOf(path), path]))
  const chosen = new Map<string, Module>()
  const builtIn = (await readFile(join(folder, 'modules.builtin'), 'utf8').catch(() => '')).split('\n').map(nameOf)
  let wanted = initialNames(all, { byName, builtIn }, recipe)
  while (wanted.length > 0) {
    signal.throwIfAborted()
    // What is built into the kernel has no file.
    const paths = wanted.flatMap((name) => byName.get(name) ?? [])
    const modules = await readModules(kernel, paths, signal)
    for (const module of modules) chosen.set(module.name, module)
    wanted = [...new Set(modules.flatMap(({ depends }) => depends))].filter(
      (name) => byName.has(name) && !chosen.has(name),
    )
  }
  return [...chosen.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
}

type Kernel = { byName: ReadonlyMap<string, string>; builtIn: readonly string[] }

function initialNames(all: readonly string[], { byName, builtIn }: Kernel, recipe: KernelRecipe): string[] {
  const names = recipe.modules.flatMap((item) => {
    if (item.endsWith('/')) return all.filter((path) => path.startsWith(item)).map(nameOf)
    const name = item.replaceAll('-', '_')
    if (!byName.has(name) && !builtIn.includes(name))
      throw new PxeError(`${recipe.package} has no module ${item}: the ramdisk's recipe is out of date.`)
    return [name]
  })
  const out = (name: string) => recipe.without.some((item) => byName.get(name)?.startsWith(item))
  return [...new Set(names)].filter((name) => !out(name))
}

async function readModules(folder: string, paths: readonly string[], signal: AbortSignal): Promise<Module[]> {
  const compressed = paths.filter((path) => path.endsWith('.xz')).map((path) => join(folder, path))
  for (let at = 0; at < compressed.length; at += BATCH) {
    await unpackXz(compressed.slice(at, at + BATCH), signal)
  }
  return Promise.all(
    paths.map(async (path) => {
      const plain = path.replace(/\.xz$/, '')
      return moduleOf(`kernel/${plain}`, await readFile(join(folder, plain)))
    }),
  )
}

/** In place. */
async function unpackXz(files: readonly string[], signal: AbortSignal): Promise<void> {
  await run('xz', ['-d', '-T1', '--', ...files], { signal, timeout: XZ_TIMEOUT_MS }).catch((cause: unknown) => {
    signal.throwIfAborted()
    const { code, stderr } = cause as { code?: unknown; stderr?: string }
    const why = code === 'ENOENT' ? 'xz is not installed. Install the Debian package xz-utils.' : stderr?.trim()
    throw new PxeError(`The kernel's modules cannot be unpacked: ${why}`, { cause })
  })
}

/** A module tells of itself in its section .modinfo: texts key=value, each with a zero byte at its end. */
function moduleOf(path: string, content: Buffer): Module {
  const lines = (sectionOf(content, '.modinfo') ?? Buffer.alloc(0)).toString('latin1').split('\0')
  const values = (key: string) =>
    lines.filter((line) => line.startsWith(`${key}=`)).map((line) => line.slice(key.length + 1))
  const before = values('softdep').flatMap((text) => /pre:\s*([^:]*?)(?:\s+\w+:|$)/.exec(text)?.[1]?.split(/\s+/) ?? [])
  const depends = [...values('depends').flatMap((text) => text.split(',')), ...before]
  return {
    name: nameOf(path),
    path,
    content,
    aliases: values('alias'),
    depends: [...new Set(depends.filter(Boolean).map((name) => name.replaceAll('-', '_')))],
    firmware: values('firmware'),
  }
}

/** As depmod writes it: all that must be there before, the last one to be loaded first. */
function dependencyTable(modules: readonly Module[]): string {
  const byName = new Map(modules.map((module) => [module.name, module]))
  const before = (module: Module, done: Set<Module>): Module[] => {
    for (const name of module.depends) {
      const needed = byName.get(name)
      if (!needed || needed === module || done.has(needed)) continue
      before(needed, done)
      done.add(needed)
    }
    return [...done]
  }
  return modules
    .map(
      (module) =>
        `${module.path}:${before(module, new Set())
          .reverse()
          .map(({ path }) => ` ${path}`)
          .join('')}\n`,
    )
    .join('')
}

const aliasTable = (modules: readonly Module[]) =>
  modules.flatMap(({ name, aliases }) => aliases.map((alias) => `alias ${alias} ${name}\n`)).join('')

/**
 * Of the firmware packages only what the chosen modules may ask for. A file that no package has is left to the
 * driver.
 */
async function firmwareOf(root: string, modules: readonly Module[]): Promise<Entry[]> {
  const names = [...new Set(modules.flatMap(({ firmware }) => firmware))].sort()
  const found = await Promise.all(
    names.map(async (name): Promise<Entry[]> => {
      const path = `usr/lib/firmware/${name}`
      const content = await readIn(root, path).catch(() => undefined)
      return content ? [{ path, kind: 'file', content }] : []
    }),
  )
  return found.flat()
}
