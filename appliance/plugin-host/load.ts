/**
 * Loads the enabled plugins and checks that each is what the contract says. One that is not is left out, loudly; the
 * rest starts.
 */
import { pathToFileURL } from 'node:url'
import { isObject } from '@appliance/ground/json'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Option } from '../plugin-api/index.ts'
import type { Discovery, PluginFailure } from './discover.ts'
import { type Kind, type PluginOf, problemsOfShape } from './kinds.ts'
import { ACCEPTED_API_VERSION, type Manifest, PluginRefused } from './manifest.ts'

type LoadedPlugin<K extends Kind = 'deploy'> = { plugin: PluginOf<K>; manifest: Manifest }
export type LoadedPlugins<K extends Kind = 'deploy'> = {
  plugins: readonly LoadedPlugin<K>[]
  failures: readonly PluginFailure[]
}

/**
 * An entry file that does not finish loading (a top-level await that hangs) must not keep the appliance from
 * starting.
 */
const IMPORT_DEADLINE_MS = 10_000

/**
 * @param enabled  [DEFAULT] enabled_<kind>_interfaces; only these are imported, and they keep this order
 * @returns those that load; for each of the others a reason, which is logged and belongs into health
 */
export async function loadPlugins<K extends Kind>(
  kind: K,
  enabled: readonly string[],
  discovery: Discovery,
  log: Log,
): Promise<LoadedPlugins<K>> {
  const plugins: LoadedPlugin<K>[] = []
  const failures = [...discovery.failures]
  for (const name of new Set(enabled)) {
    try {
      const manifest = discovery.found.find((found) => found.kind === kind && found.name === name)
      if (!manifest) throw new PluginRefused(notFound(kind, name, discovery))
      plugins.push({ plugin: (await loadPlugin(manifest)) as PluginOf<K>, manifest })
    } catch (error) {
      failures.push({ name, reason: messageOf(error) })
    }
  }
  for (const failure of failures) log.error('plugin refused', { plugin: failure.name, reason: failure.reason })
  for (const { manifest } of plugins) log.info('plugin loaded', { plugin: manifest.name, folder: manifest.folder })
  return { plugins, failures }
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
async function loadPlugin(manifest: Manifest): Promise<PluginOf<Kind>> {
  const exported = await importEntry(manifest)
  const problems = problemsOf(exported, manifest.name, manifest.kind)
  if (problems.length > 0) throw new PluginRefused(`plugin ${manifest.entry} is refused: ${problems.join('; ')}`)
  return exported as PluginOf<Kind>
}

async function importEntry(manifest: Manifest): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`it did not load within ${IMPORT_DEADLINE_MS / 1000} s`)),
      IMPORT_DEADLINE_MS,
    )
  })
  try {
    const module = (await Promise.race([import(pathToFileURL(manifest.entry).href), deadline])) as { default?: unknown }
    return module.default
  } catch (error) {
    throw new PluginRefused(`plugin ${manifest.entry} cannot be loaded: ${messageOf(error)}`, { cause: error })
  } finally {
    clearTimeout(timer)
  }
}

/**
 * What is wrong with a default export, in sentences; the compiler checked our own plugins, nobody checked a
 * stranger's.
 */
export function problemsOf(exported: unknown, name: string, kind: Kind = 'deploy'): string[] {
  if (exported === null || typeof exported !== 'object') {
    return [`its default export is ${exported === null ? 'null' : typeof exported}, and the plugin object is expected`]
  }
  const plugin = exported as Record<string, unknown>
  return [
    ...(plugin.apiVersion === ACCEPTED_API_VERSION
      ? []
      : [`apiVersion is ${JSON.stringify(plugin.apiVersion)}, and "${ACCEPTED_API_VERSION}" is accepted`]),
    ...(plugin.name === name ? [] : [`name is ${JSON.stringify(plugin.name)}, and its manifest says "${name}"`]),
    ...problemsOfShape(plugin, kind),
    ...problemsOfOptions(plugin.options),
    ...problemsOfProperties(plugin.properties),
    ...problemsOfLayers(plugin.ramdiskLayers),
  ]
}

function problemsOfOptions(options: unknown): string[] {
  if (options === null || typeof options !== 'object')
    return ['options is missing, and a table is expected (it may be empty)']
  return Object.entries(options).flatMap(([name, value]) =>
    problemOfOption(value).map((text) => `option ${name} ${text}`),
  )
}

const DEFAULT_TYPES: ReadonlyMap<unknown, (value: unknown) => boolean> = new Map<
  Option['type'],
  (value: unknown) => boolean
>([
  ['string', (value) => typeof value === 'string'],
  ['integer', Number.isInteger],
  ['boolean', (value) => typeof value === 'boolean'],
  ['list', (value) => Array.isArray(value) && value.every((item) => typeof item === 'string')],
])

function problemOfOption(value: unknown): string[] {
  if (value === null || typeof value !== 'object') return ['is not an object']
  const option = value as Record<string, unknown>
  const isDefault = DEFAULT_TYPES.get(option.type)
  if (!isDefault)
    return [
      `has the type ${JSON.stringify(option.type)}, and one of ${[...DEFAULT_TYPES.keys()].join(', ')} is expected`,
    ]
  if (typeof option.section !== 'string' || option.section === '') return ['names no section']
  if (typeof option.help !== 'string' || option.help === '') return ['has no help text']
  if (option.default !== undefined && !isDefault(option.default))
    return [`has a default that is not of type ${option.type}`]
  return []
}

function problemsOfProperties(properties: unknown): string[] {
  if (properties === undefined) return []
  return isObject(properties) && Object.values(properties).every((text) => typeof text === 'string')
    ? []
    : ['properties is not a table of names and texts']
}

function problemsOfLayers(layers: unknown): string[] {
  if (layers === undefined || typeof layers === 'function') return []
  return Array.isArray(layers) && layers.every((layer) => typeof layer === 'string' && /^[a-z0-9-]+$/.test(layer))
    ? []
    : ['ramdiskLayers is not a list of layer names']
}
