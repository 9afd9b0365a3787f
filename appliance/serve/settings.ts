/** Loads all that a configuration file determines: the appliance's options, the enabled plugins, and their options. */
import { readFile } from 'node:fs/promises'
import { isMissing } from '@appliance/ground/errno'
import { openReserve } from '@appliance/ground/reserve'
import {
  type RegistryConfig,
  RegistryError,
  readUpstream,
  registryOptions,
  type UpstreamConfig,
  upstreamOptions,
} from '@appliance/registry-mirror/settings'
import { type Config, SECTIONS } from '../config/options.ts'
import { placed } from '../config/place.ts'
import {
  type ConfigFile,
  ConfigInvalid,
  DEFAULT_CONFIG_FILE,
  type NamedSection,
  NO_FILE,
  readConfig,
  readConfigFile,
  readNamedSections,
  readOptions,
} from '../config/read.ts'
import { type IronicSummary, ironicSummaryOf, warningsOf } from '../config/unknown.ts'
import type { Value } from '../config/values.ts'
import { messageOf } from '../errors.ts'
import { settle } from '../hardware/enabled.ts'
import type { Brought } from '../hardware/hardware.ts'
import { createLog, type Log } from '../log.ts'
import type { Options } from '../plugin-api/index.ts'
import type { LoadedPlugins } from '../plugin-host/load.ts'
import type { Box } from './box.ts'
import { warningOfApi } from './check-api.ts'
import { loadPluginSet, type PluginSet } from './plugin-set.ts'
import { trustFindings } from './trust.ts'

const SILENT_LOG = createLog('error', () => {})

type Table = { options: Options; values: Readonly<Record<string, Value | undefined>> }
export type Settings = {
  /** Empty when there is none. */
  source: ConfigFile
  box: Box
  /** The file that was read; undefined when there was none. */
  file: string | undefined
  config: Config
  plugins: LoadedPlugins
  /** The same, with what is told of them. */
  pluginSet: PluginSet
  /** What plugins bring beside deploy interfaces. */
  interfaces: readonly Brought[]
  /** One sentence for each thing that is wrong with the hardware types and interfaces of [DEFAULT]. */
  hardwareProblems: readonly string[]
  /** Of each loaded plugin: by its name for deploy, by `<kind>/<name>` for others. */
  pluginValues: Readonly<Record<string, Table['values']>>
  registry: RegistryConfig
  /** The appliance's tables, the registry mirror's, then the plugins'. */
  tables: readonly Table[]
  /** All options that a file may set; one table stands for all sections of a kind. */
  known: readonly Options[]
  warnings: readonly string[]
  /** The summary of a file that was Ironic's. */
  ironic: IronicSummary | undefined
}

/**
 * @param path  undefined: /etc/rackstrap/rackstrap.conf when it is there, else no file at all
 * @throws ConfigInvalid
 */
export async function loadSettings(
  path: string | undefined,
  box: Box,
  logOf: (config: Config) => Log,
): Promise<Settings> {
  const { settings, problems } = await gatherSettings(path, box, logOf)
  if (problems.length > 0) throw new ConfigInvalid(problems.join('\n'))
  return settings
}

/**
 * Loads as loadSettings does, and collects problems: the default stands in for a value that cannot be used.
 * @throws ConfigInvalid  the file cannot be read
 */
export async function gatherSettings(
  path: string | undefined,
  box: Box,
  logOf: (config: Config) => Log,
): Promise<{ settings: Settings; problems: string[] }> {
  const file = await openConfigFile(path)
  const problems: string[] = []
  const config = readConfig(file, box, problems)
  // Nobody wants to read what went well beside what is wrong.
  const log = problems.length > 0 ? SILENT_LOG : logOf(config)
  const pluginSet = await loadPluginSet({ file, config, log }, problems)
  const brought = pluginSet.tables
  const own = Object.entries(SECTIONS).map(([name, options]) => ({ options, values: config[name as keyof Config] }))
  const registry = { options: registryOptions, values: readOptions(file, registryOptions, config, problems) }
  const sections = readNamedSections(file, upstreamOptions, config, problems)
  const upstreams = upstreamsOf(file, sections, problems)
  const known = [
    ...[...own, registry].map(({ options }) => options),
    upstreamOptions,
    ...brought.map(({ options }) => options),
  ]
  const ironic = ironicSummaryOf(file, known)
  const reserve = await openReserve(config.DEFAULT.state_path, config.DEFAULT.min_free)
  const hardware = settle(config, pluginSet.brought)
  const apiWarning = warningOfApi(config) ?? []
  const tables = [...own, registry, ...sections, ...brought]
  const trust = trustFindings({
    state_path: config.DEFAULT.state_path,
    file: file === NO_FILE ? undefined : file.path,
    tables,
  })
  problems.push(...trust.errors.map((error) => placed(file, error)))
  const settings = {
    ...{ source: file, file: file === NO_FILE ? undefined : file.path, box },
    ...{ config, pluginSet, known, ironic },
    plugins: { plugins: pluginSet.deploy, failures: pluginSet.failures },
    interfaces: pluginSet.brought,
    hardwareProblems: hardware.problems,
    pluginValues: Object.fromEntries(brought.map(({ key, values }) => [key, values])),
    registry: {
      ...(registry.values as unknown as RegistryConfig),
      bmc_networks: config.DEFAULT.bmc_networks,
      upstreams,
      reserve,
    },
    tables,
    warnings: [
      ...warningsOf(file, known),
      ...hardware.warnings.concat(apiWarning, trust.warnings).map((warning) => placed(file, warning)),
    ],
  }
  return { settings, problems: [...new Set(problems)] }
}

function upstreamsOf(file: ConfigFile, sections: readonly NamedSection[], problems: string[]): UpstreamConfig[] {
  return sections.flatMap((section) => {
    try {
      return [readUpstream(section)]
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error
      problems.push(placed(file, error.message))
      return []
    }
  })
}

async function openConfigFile(path: string | undefined): Promise<ConfigFile> {
  const name = path ?? DEFAULT_CONFIG_FILE
  try {
    return readConfigFile(name, await readFile(name, 'utf8'))
  } catch (error) {
    if (path === undefined && isMissing(error)) return NO_FILE
    throw new ConfigInvalid(`The configuration file ${name} cannot be read: ${messageOf(error)}`, { cause: error })
  }
}
