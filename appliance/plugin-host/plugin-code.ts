/**
 * Imports the code of a plugin by its version, so that several versions run side by side in one process, also those of
 * a plugin that npm installed. Checks nothing of what it exports.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { lstat, opendir, readFile, realpath } from 'node:fs/promises'
import { createRequire, registerHooks, stripTypeScriptTypes } from 'node:module'
import { join, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type Manifest, PluginRefused } from './manifest.ts'

/** Of the address of a module: its plugin's version, and how many parts the path of the plugin's folder has. */
const MARK = 'rackstrap-plugin'
const CODE = /\.(?:[mc]?[jt]s|json|node|wasm)$/
const TYPESCRIPT = /\.m?ts$/
/** Layers are the machine's code; what npm and git keep is not the plugin's. */
const NOT_READ: readonly string[] = ['node_modules', '.git', 'layers']
const SIZE_LIMIT_BYTES = 16 * 1024 * 1024

/** @returns the same text for the same code. @throws PluginRefused  there is more of it than code can be */
export async function versionOf(folder: string): Promise<string> {
  const hash = createHash('sha256')
  let left_bytes = SIZE_LIMIT_BYTES
  for (const path of (await filesOf(folder)).sort()) {
    left_bytes -= (await lstat(path)).size
    if (left_bytes < 0) throw new PluginRefused(`${folder} holds more than ${SIZE_LIMIT_BYTES} bytes of code`)
    hash.update(`${path.slice(folder.length)}\n`).update(await readFile(path))
  }
  return hash.digest('hex').slice(0, 16)
}

async function filesOf(folder: string): Promise<string[]> {
  const files: string[] = []
  for await (const entry of await opendir(folder)) {
    const path = join(folder, entry.name)
    if (entry.isDirectory() && !NOT_READ.includes(entry.name)) files.push(...(await filesOf(path)))
    if (entry.isFile() && CODE.test(entry.name)) files.push(path)
  }
  return files
}

/** @throws whatever the plugin's code throws when it is loaded */
export async function importPlugin({ folder, entry }: Manifest, version: string): Promise<unknown> {
  const root = await realpath(folder)
  forgetCommonJs(root)
  const url = pathToFileURL(entry)
  url.searchParams.set(MARK, `${version}.${root.split(sep).length}`)
  return ((await import(url.href)) as { default?: unknown }).default
}

/** What is loaded by require is known by its path alone. */
function forgetCommonJs(root: string): void {
  const { cache } = createRequire(import.meta.url)
  for (const file of Object.keys(cache)) if (file.startsWith(root + sep)) delete cache[file]
}

const markOf = (url: string) => (url.includes(MARK) ? (new URL(url).searchParams.get(MARK) ?? undefined) : undefined)

/** What a plugin imports of its own is of its version. */
function resolved<R extends { url: string }>(specifier: string, parentURL: string | undefined, found: R): R {
  const mark = parentURL === undefined ? undefined : markOf(parentURL)
  if (parentURL === undefined || mark === undefined || !found.url.startsWith('file:')) return found
  const [from, file] = [fileURLToPath(parentURL), fileURLToPath(found.url)]
  const root = from
    .split(sep)
    .slice(0, Number(mark.split('.')[1]))
    .join(sep)
  if (file.startsWith(root + sep)) {
    const url = new URL(found.url)
    url.searchParams.set(MARK, mark)
    return { ...found, url: url.href }
  }
  if (file.includes(`${sep}node_modules${sep}`)) return found
  throw new Error(`${from} imports ${specifier}, which lies outside the plugin's folder`)
}

// For the life of the process: a plugin may import later, too. All others pass.
registerHooks({
  resolve: (specifier, context, next) => resolved(specifier, context.parentURL, next(specifier, context)),
  load(url, context, next) {
    // Node strips no types below a node_modules.
    if (markOf(url) === undefined || !url.includes('/node_modules/')) return next(url, context)
    const file = fileURLToPath(url)
    if (!TYPESCRIPT.test(file)) return next(url, context)
    const source = stripTypeScriptTypes(readFileSync(file, 'utf8'), { mode: 'strip', sourceUrl: url })
    return { format: 'module', source, shortCircuit: true }
  },
})
