/**
 * Loads the enabled plugins and checks that each is what the contract says. One that is not is left out, loudly; the
 * rest starts.
 */
import { availableParallelism } from 'node:os'
import { createSemaphore } from '@appliance/ground/semaphore'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Discovery, PluginFailure } from './discover.ts'
import type { Kind, PluginOf } from './kinds.ts'
import { type Manifest, PluginRefused } from './manifest.ts'
import { probe } from './probe.ts'
import { problemsOf } from './shape.ts'
import { requireTrust } from './trust.ts'

export type LoadedPlugin<K extends Kind = 'deploy'> = {
  plugin: PluginOf<K>
  manifest: Manifest
  /** Of its code: another text for other code. */
  code_version: string
}
export type LoadedPlugins<K extends Kind = 'deploy'> = {
  plugins: readonly LoadedPlugin<K>[]
  failures: readonly PluginFailure[]
}

/**
 * An entry file that does not finish loading (a top-level await that hangs) must not keep the appliance from
 * starting.
 */
const IMPORT_DEADLINE_MS = 10_000

export type Host = {
  log: Log
  /** What is done with a plugin that did not come with the appliance before its code is imported here. */
  strangers?: {
    /** Whose files are taken. */
    accounts: readonly number[]
    /** How long its code may take to load. */
    deadline_s?: number
  }
}

/**
 * @param enabled  [DEFAULT] enabled_<kind>_interfaces; only these are imported, and they keep this order
 * @returns those that load; for each of the others a reason, which is logged and belongs into health
 */
export async function loadPlugins<K extends Kind>(
  kind: K,
  enabled: readonly string[],
  discovery: Discovery,
  host: Host,
): Promise<LoadedPlugins<K>> {
  const plugins: LoadedPlugin<K>[] = []
  const failures = [...discovery.failures]
  const names = [...new Set(enabled)]
  const atOnce = createSemaphore(availableParallelism())
  const check = async (name: string) => {
    const leave = await atOnce.enter()
    return checked(kind, name, discovery, host).finally(leave)
  }
  const outcomes = await Promise.allSettled(names.map(check))
  for (const [index, outcome] of outcomes.entries()) {
    const name = names[index] ?? ''
    try {
      if (outcome.status === 'rejected') throw outcome.reason
      const { manifest, version } = outcome.value
      const plugin = (await loadPlugin(manifest, version)) as PluginOf<K>
      plugins.push({ plugin, manifest, code_version: version })
    } catch (error) {
      failures.push({ name, reason: messageOf(error) })
    }
  }
  for (const failure of failures) host.log.error('plugin refused', { plugin: failure.name, reason: failure.reason })
  for (const { manifest } of plugins) host.log.info('plugin loaded', { plugin: manifest.name, folder: manifest.folder })
  return { plugins, failures }
}

/** @throws PluginRefused  before a line of its code has run in this process */
async function checked(
  kind: Kind,
  name: string,
  discovery: Discovery,
  { strangers }: Host,
): Promise<{ manifest: Manifest; version: string }> {
  const manifest = discovery.found.find((found) => found.kind === kind && found.name === name)
  if (!manifest) throw new PluginRefused(notFound(kind, name, discovery))
  const isStranger = strangers !== undefined && !manifest.bundled
  if (isStranger) await requireTrust(manifest.folder, strangers.accounts)
  const { versionOf } = await import('./plugin-code.ts')
  const version = await versionOf(manifest.folder)
  if (isStranger) await probe(manifest, version, strangers.deadline_s ?? IMPORT_DEADLINE_MS / 1000)
  return { manifest, version }
}

function notFound(kind: Kind, name: string, { searched, found }: Discovery): string {
  const names =
    found
      .filter((manifest) => manifest.kind === kind)
      .map((manifest) => manifest.name)
      .join(', ') || 'none'
  return (
    `enabled_${kind}_interfaces names "${name}", and no plugin of this name is in ${searched.join(', ')} (found: ${names}). ` +
    'Take the name away, or add its folder to [DEFAULT] plugin_path.'
  )
}

/** @throws PluginRefused */
async function loadPlugin(manifest: Manifest, version: string): Promise<PluginOf<Kind>> {
  const exported = await importEntry(manifest, version)
  const problems = problemsOf(exported, manifest.name, manifest.kind)
  if (problems.length > 0) throw new PluginRefused(`plugin ${manifest.entry} is refused: ${problems.join('; ')}`)
  return exported as PluginOf<Kind>
}

async function importEntry(manifest: Manifest, version: string): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`it did not load within ${IMPORT_DEADLINE_MS / 1000} s`)),
      IMPORT_DEADLINE_MS,
    )
  })
  try {
    // It hooks into Node's loader: only where a plugin is loaded.
    const { importPlugin } = await import('./plugin-code.ts')
    return await Promise.race([importPlugin(manifest, version), deadline])
  } catch (error) {
    throw new PluginRefused(`plugin ${manifest.entry} cannot be loaded: ${messageOf(error)}`, { cause: error })
  } finally {
    clearTimeout(timer)
  }
}
