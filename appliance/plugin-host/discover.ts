/**
 * Finds plugins: the bundled ones, those of [DEFAULT] plugin_path, and the npm packages of plugin_packages. Reads
 * manifests only; runs none of their code.
 */
import { readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { messageOf } from '../errors.ts'
import { type Manifest, PluginRefused, readManifest } from './manifest.ts'

/**
 * Something that looked like a plugin and is none; told in the log and in health. `name` is the manifest's, or the
 * folder.
 */
export type PluginFailure = { name: string; reason: string }
export type Discovery = {
  found: readonly Manifest[]
  failures: readonly PluginFailure[]
  /** Where it was looked, in this order. */
  searched: readonly string[]
}

/** The plugins that come with the appliance. */
export const BUNDLED_PLUGINS = join(import.meta.dirname, '../../plugins')

export type MorePlugins = {
  /** Names of npm packages; they come last. */
  packages: readonly string[]
  /** In whose node_modules they are. */
  state_path: string
}

/** @param plugin_path  each entry a plugin's folder, or a folder of such folders; they come after the bundled ones */
export async function discoverPlugins(
  plugin_path: readonly string[],
  bundled = BUNDLED_PLUGINS,
  more: MorePlugins = { packages: [], state_path: '' },
): Promise<Discovery> {
  const paths = [bundled, ...plugin_path.map((path) => resolve(path))]
  const found = new Map<string, Manifest>()
  const failures: PluginFailure[] = []
  const add = (outcome: Outcome) => {
    failures.push(...outcome.failures)
    for (const manifest of outcome.found) {
      const key = `${manifest.kind}/${manifest.name}`
      const first = found.get(key)
      if (!first) found.set(key, manifest)
      else if (first.folder !== manifest.folder)
        failures.push({ name: manifest.name, reason: takenName(manifest, first) })
    }
  }
  for (const path of paths) {
    const outcome = await lookInto(path)
    const isBundled = path === BUNDLED_PLUGINS
    add(isBundled ? { ...outcome, found: outcome.found.map((manifest) => ({ ...manifest, bundled: true })) } : outcome)
  }
  for (const name of more.packages) add(await lookForPackage(name, more.state_path))
  return { found: [...found.values()], failures, searched: [...paths, ...more.packages] }
}

function takenName(second: Manifest, first: Manifest): string {
  return `${second.folder} holds a plugin named "${second.name}", and so does ${first.folder}, which came first: give the second another name`
}

type Outcome = { found: Manifest[]; failures: PluginFailure[] }

async function lookInto(path: string): Promise<Outcome> {
  const own = await inspect(path)
  if (own.found.length + own.failures.length > 0) return own
  const entries = await readdir(path, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    own.failures.push({ name: path, reason: `plugin folder ${path} cannot be read: ${error.message}` })
    return []
  })
  const folders = entries.filter((entry) => entry.isDirectory() || entry.isSymbolicLink()).map((entry) => entry.name)
  const outcomes = await Promise.all(folders.sort().map((name) => inspect(join(path, name))))
  return {
    found: outcomes.flatMap((outcome) => outcome.found),
    failures: [...own.failures, ...outcomes.flatMap((outcome) => outcome.failures)],
  }
}

/** @source npm validate-npm-package-name: no path that leads elsewhere is a name */
const PACKAGE_NAME = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/

async function lookForPackage(name: string, state_path: string): Promise<Outcome> {
  const refused = (reason: string): Outcome => ({ found: [], failures: [{ name, reason }] })
  if (!PACKAGE_NAME.test(name)) {
    return refused(
      `[DEFAULT] plugin_packages names ${JSON.stringify(name)}: the name of an npm package is expected, e.g. @acme/rackstrap-deploy-foo`,
    )
  }
  const folder = join(resolve(state_path), 'node_modules', name)
  const outcome = await inspect(folder)
  if (outcome.found.length + outcome.failures.length > 0) return outcome
  return refused(
    (await isFolder(folder))
      ? `the npm package ${name} in ${folder} is no plugin: its package.json has no "appliance"`
      : `[DEFAULT] plugin_packages names ${name}, and ${folder} is not there: npm install --prefix ${resolve(state_path)} ${name}`,
  )
}

const isFolder = (path: string) =>
  stat(path).then(
    (found) => found.isDirectory(),
    // What cannot be looked at is as good as not there; npm says why.
    () => false,
  )

async function inspect(folder: string): Promise<Outcome> {
  try {
    const manifest = await readManifest(folder)
    return { found: manifest ? [manifest] : [], failures: [] }
  } catch (error) {
    if (!(error instanceof PluginRefused)) throw error
    return { found: [], failures: [{ name: folder, reason: messageOf(error) }] }
  }
}
