/** All plugins that a configuration enables, with their options: loaded together, at the start and by a reload. */
import type { Config } from '../config/options.ts'
import { type ConfigFile, readOptions } from '../config/read.ts'
import type { Value } from '../config/values.ts'
import type { Brought } from '../hardware/hardware.ts'
import type { Log } from '../log.ts'
import type { Options } from '../plugin-api/index.ts'
import { BUNDLED_PLUGINS, type Discovery, discoverPlugins, type PluginFailure } from '../plugin-host/discover.ts'
import { type LoadedPlugin, loadPlugins } from '../plugin-host/load.ts'
import type { Manifest } from '../plugin-host/manifest.ts'
import { trustedAccounts } from '../plugin-host/trust.ts'
import { loadInterfacePlugins } from './interface-plugins.ts'

type PluginTable = {
  /** The name of a deploy plugin, or `<kind>/<name>`: the conductor asks for its values with it. */
  key: string
  options: Options
  values: Readonly<Record<string, Value | undefined>>
  manifest: Manifest
  /** Of its code: another text for other code. */
  code_version: string
}
export type PluginSet = {
  /** Names of deploy interfaces, the default first. */
  enabled: readonly string[]
  found: readonly Manifest[]
  deploy: readonly LoadedPlugin[]
  /** What plugins bring beside deploy interfaces. */
  brought: readonly Brought[]
  failures: readonly PluginFailure[]
  tables: readonly PluginTable[]
}
export type PluginSource = { file: ConfigFile; config: Config; log: Log }

/**
 * @param problems  gets what is wrong with the values of options; left out: a plugin whose values cannot be used is
 * refused
 */
export async function loadPluginSet({ file, config, log }: PluginSource, problems?: string[]): Promise<PluginSet> {
  const { state_path, plugin_path, plugin_packages } = config.DEFAULT
  const discovery = await discoverPlugins(plugin_path, BUNDLED_PLUGINS, { packages: plugin_packages, state_path })
  const host = { log, strangers: { accounts: trustedAccounts(state_path) } }
  const enabled = enabledOf(config, discovery)
  const deploy = await loadPlugins('deploy', enabled, discovery, host)
  const interfaces = await loadInterfacePlugins(config, discovery, host)
  const failures = [...deploy.failures, ...interfaces.failures]
  const loaded = [
    ...deploy.plugins.map((each) => ({ key: each.plugin.name, options: each.plugin.options, ...each })),
    ...interfaces.loaded.map((each) => ({
      key: `${each.manifest.kind}/${each.plugin.name}`,
      options: each.plugin.options,
      ...each,
    })),
  ]
  const tables = loaded.flatMap(({ key, options, manifest, code_version }): PluginTable[] => {
    const wrong: string[] = []
    const values = readOptions(file, options, config, problems ?? wrong)
    if (wrong.length === 0) return [{ key, options, values, manifest, code_version }]
    failures.push({ name: manifest.name, reason: wrong.join('; ') })
    return []
  })
  const isRead = (key: string) => tables.some((table) => table.key === key)
  return {
    enabled,
    found: discovery.found,
    deploy: deploy.plugins.filter(({ plugin }) => isRead(plugin.name)),
    brought: interfaces.brought.map((each) => (isRead(`${each.type}/${each.name}`) ? each : offerOf(each))),
    failures,
    tables,
  }
}

const offerOf = ({ implementation: _none, ...offer }: Brought): Brought => offer

function enabledOf({ DEFAULT }: Config, { found }: Discovery): readonly string[] {
  if (DEFAULT.enabled_deploy_interfaces.length > 0) return [...new Set(DEFAULT.enabled_deploy_interfaces)]
  const orderOf = ({ default_order = Number.POSITIVE_INFINITY }: Manifest) => default_order
  return found
    .filter((each) => each.kind === 'deploy' && each.default_order && each.bundled)
    .sort((a, b) => orderOf(a) - orderOf(b))
    .map(({ name }) => name)
}

const GOES_ON = 'The one that was loaded before goes on.'

/** What was loaded anew; where that is refused, what was loaded before. */
export function keeping(before: PluginSet, next: PluginSet): PluginSet {
  const table = (set: PluginSet, key: string) => set.tables.find((each) => each.key === key)
  const keys = [...new Set([...next.tables, ...before.tables].map(({ key }) => key))]
  const kept = keys.filter((key) => !table(next, key))
  const namesKept = kept.map((key) => key.slice(key.indexOf('/') + 1))
  const isThere = ({ type, name }: Brought) => next.brought.some((each) => each.type === type && each.name === name)
  const keptOf = ({ type, name }: Brought) =>
    kept.includes(`${type}/${name}`)
      ? before.brought.find((each) => each.type === type && each.name === name)
      : undefined
  return {
    ...next,
    deploy: next.enabled.flatMap((name) => {
      const isIt = ({ plugin }: LoadedPlugin) => plugin.name === name
      return next.deploy.find(isIt) ?? before.deploy.find(isIt) ?? []
    }),
    brought: [
      ...next.brought.map((each) => keptOf(each) ?? each),
      ...before.brought.filter((each) => each.implementation && !isThere(each)),
    ],
    failures: next.failures.map(({ name, reason }) => ({
      name,
      reason: namesKept.includes(name) ? `${reason.replace(/\.?$/, '.')} ${GOES_ON}` : reason,
    })),
    tables: keys.flatMap((key) => table(next, key) ?? table(before, key) ?? []),
  }
}
