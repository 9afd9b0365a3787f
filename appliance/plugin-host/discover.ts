/**
 * Finds plugins: the bundled ones and those of [DEFAULT] plugin_path. Reads manifests only; runs none of their code.
 */
import { readdir } from 'node:fs/promises'
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

/** @param plugin_path  each entry a plugin's folder, or a folder of such folders; they come after the bundled ones */
export async function discoverPlugins(plugin_path: readonly string[], bundled = BUNDLED_PLUGINS): Promise<Discovery> {
  const searched = [bundled, ...plugin_path.map((path) => resolve(path))]
  const found = new Map<string, Manifest>()
  const failures: PluginFailure[] = []
  for (const path of searched) {
    const outcome = await lookInto(path)
    failures.push(...outcome.failures)
    for (const manifest of outcome.found) {
      const key = `${manifest.kind}/${manifest.name}`
      const first = found.get(key)
      if (!first) found.set(key, manifest)
      else if (first.folder !== manifest.folder)
        failures.push({ name: manifest.name, reason: takenName(manifest, first) })
    }
  }
  return { found: [...found.values()], failures, searched }
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

async function inspect(folder: string): Promise<Outcome> {
  try {
    const manifest = await readManifest(folder)
    return { found: manifest ? [manifest] : [], failures: [] }
  } catch (error) {
    if (!(error instanceof PluginRefused)) throw error
    return { found: [], failures: [{ name: folder, reason: messageOf(error) }] }
  }
}
