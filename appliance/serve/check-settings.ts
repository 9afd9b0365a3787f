/**
 * Finds what is wrong with a configuration whose every option is right by itself, for `config check` and before a
 * start.
 */

import { isLoopback } from '@appliance/ground/networks'
import { checkRegistry, type Findings } from '@appliance/registry-mirror/settings'
import { requireOpenssl } from '../ca/openssl.ts'
import { problemOfHooks } from '../conductor/inspect/hooks/run.ts'
import { problemOfPriorities } from '../conductor/procedures/priorities.ts'
import type { Config } from '../config/options.ts'
import { placed } from '../config/place.ts'
import { ApplianceError } from '../errors.ts'
import { problemsOfAddresses } from './check/addresses.ts'
import { problemsOfDhcp } from './check/dhcp.ts'
import { problemsOfFolders } from './check/folders.ts'
import { problemsOfApi } from './check-api.ts'
import { readCa, tlsOf } from './mirror-tls.ts'
import type { Settings } from './settings.ts'

/**
 * The problems of the registry mirror, inside the appliance or alone: its own files, and how they fit the
 * appliance's.
 */
export async function mirrorFindings(settings: Pick<Settings, 'config' | 'registry'>): Promise<Findings> {
  const { errors, warnings } = await checkRegistry(settings.registry)
  const tls = await checkTls(settings).then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof ApplianceError) return error.message
      throw error
    },
  )
  return { errors: [...errors, ...(tls === undefined ? [] : [tls])], warnings: [...warnings, ...unreachable(settings)] }
}

function unreachable({ config, registry: { host_ip } }: Pick<Settings, 'config' | 'registry'>): string[] {
  if (!config.registry.enabled || !isLoopback(host_ip)) return []
  return [
    `[registry] host_ip is ${host_ip}, where no machine reaches the registry: to deploy from it, set the address of this box on the rack's side (${config.DEFAULT.my_ip}).`,
  ]
}

async function checkTls(settings: Pick<Settings, 'config' | 'registry'>): Promise<void> {
  readCa(settings.config.registry.ca_file)
  if (tlsOf(settings) === 'own') await requireOpenssl()
}

/** Finds what prevents a start. @returns one sentence each, with its place in the file; none when it can be used */
export function problemsOf(settings: Omit<Settings, 'tables' | 'known' | 'warnings'>): string[] {
  const { config, plugins, registry, box, source } = settings
  const loaded = plugins.plugins.map(({ plugin }) => plugin.name)
  return [
    ...problemsOfAddresses(config, registry, box),
    ...problemsOfApi(config),
    ...settings.hardwareProblems,
    ...problemsOfDhcp(config, box),
    ...problemsOfFolders(config, registry),
    problemOfPortRange(config.console.port_range),
    problemOfPriorities(config),
    problemOfHooks(config),
    problemOfDiscovery(config),
    noSuchDefault(config, loaded),
    ...noSuchChoice(settings),
  ].flatMap((problem) => (problem === undefined ? [] : [placed(source, problem)]))
}

function problemOfDiscovery({ auto_discovery: { enabled, driver }, DEFAULT }: Config): string | undefined {
  const types = DEFAULT.enabled_hardware_types
  if (!enabled || (driver !== undefined && types.includes(driver))) return undefined
  return `[auto_discovery] driver is "${driver ?? ''}": with enabled = True, one of the enabled hardware types is expected (${types.join(', ')}).`
}

/** A plugin that is enabled and did not load is reported with the plugins. */
function noSuchDefault({ DEFAULT }: Config, loaded: readonly string[]): string | undefined {
  const { default_deploy_interface: name, enabled_deploy_interfaces: enabled } = DEFAULT
  if (name === undefined || loaded.includes(name) || enabled.includes(name)) return undefined
  return `[DEFAULT] default_deploy_interface is "${name}": expected one of the enabled ones (${loaded.join(', ') || 'none is loaded'}).`
}

/** A plugin that is enabled and did not load is reported with the plugins, here too. */
function noSuchChoice({ plugins, pluginValues }: Pick<Settings, 'plugins' | 'pluginValues'>): string[] {
  const enabled = [...plugins.plugins.map(({ plugin }) => plugin.name), ...plugins.failures.map(({ name }) => name)]
  return plugins.plugins.flatMap(({ plugin }) => {
    const values = pluginValues[plugin.name] ?? {}
    const missing = (plugin.switchesTo?.(values as never) ?? []).filter((name) => !enabled.includes(name))
    return missing.map((name) => {
      const [option] = Object.entries(plugin.options).find(([key]) => [values[key]].flat().includes(name)) ?? ['']
      const named = option === '' ? 'its options' : `[${plugin.options[option]?.section}] ${option}`
      return (
        `The deploy interface ${plugin.name} chooses among others, and ${named} names "${name}", which is not enabled (${enabled.join(', ')}). ` +
        `Add it to [DEFAULT] enabled_deploy_interfaces, or take it out of ${named}.`
      )
    })
  })
}

function problemOfPortRange(range: string): string | undefined {
  const [, first, last] = /^(\d{1,5}):(\d{1,5})$/.exec(range)?.map(Number) ?? []
  if (range === '' || (first && last && first <= last && last <= 65535)) return undefined
  return `[console] port_range is "${range}": expected FIRST:LAST, such as 10000:10100.`
}
