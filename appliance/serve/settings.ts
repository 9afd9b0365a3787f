/** Everything that a configuration file settles: the appliance's options, the plugins that it enables, and their options. */
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import {
  type RegistryConfig,
  RegistryError,
  readUpstream,
  registryOptions,
  type UpstreamConfig,
  upstreamOptions,
} from '@appliance/registry-mirror'
import { type Config, SECTIONS } from '../config/options.ts'
import {
  type BoxDefaults,
  type ConfigFile,
  ConfigInvalid,
  type NamedSection,
  NO_FILE,
  readConfig,
  readConfigFile,
  readNamedSections,
  readOptions,
  warningsOf,
} from '../config/read.ts'
import type { Value } from '../config/values.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Options } from '../plugin-api/index.ts'
import { BUNDLED_PLUGINS, type Discovery, discoverPlugins } from '../plugin-host/discover.ts'
import { type LoadedPlugins, loadPlugins } from '../plugin-host/load.ts'

export const DEFAULT_CONFIG_FILE = '/etc/rackstrap/rackstrap.conf'

export type Table = { options: Options; values: Readonly<Record<string, Value | undefined>> }
export type Settings = {
  /** The file that was read; undefined when there was none. */
  file: string | undefined
  config: Config
  plugins: LoadedPlugins
  /** Of each loaded plugin, by its name. */
  pluginValues: Readonly<Record<string, Table['values']>>
  registry: RegistryConfig
  /** The appliance's tables, the registry mirror's, then the plugins'. */
  tables: readonly Table[]
  /** All options that a file may set; one table stands for all sections of a kind. */
  known: readonly Options[]
  warnings: readonly string[]
}

/**
 * @param path  undefined: /etc/rackstrap/rackstrap.conf when it is there, else no file at all
 * @throws ConfigInvalid
 */
export async function loadSettings(
  path: string | undefined,
  box: BoxDefaults,
  logOf: (config: Config) => Log,
): Promise<Settings> {
  const file = await openConfigFile(path)
  const config = readConfig(file, box)
  const discovery = await discoverPlugins(config.DEFAULT.plugin_path)
  const plugins = await loadPlugins(enabledOf(config, discovery), discovery, logOf(config))
  const own = Object.entries(SECTIONS).map(([name, options]) => ({ options, values: config[name as keyof Config] }))
  const brought = plugins.plugins.map(({ plugin }) => ({
    name: plugin.name,
    options: plugin.options,
    values: readOptions(file, plugin.options, config),
  }))
  const registry = { options: registryOptions, values: readOptions(file, registryOptions, config) }
  const upstreams = readNamedSections(file, upstreamOptions, config)
  const tables = [...own, registry, ...upstreams, ...brought]
  const known = [
    ...[...own, registry].map(({ options }) => options),
    upstreamOptions,
    ...brought.map(({ options }) => options),
  ]
  return {
    file: file === NO_FILE ? undefined : file.path,
    config,
    plugins,
    pluginValues: Object.fromEntries(brought.map(({ name, values }) => [name, values])),
    registry: { ...(registry.values as unknown as RegistryConfig), upstreams: upstreamsOf(file, upstreams) },
    tables,
    known,
    warnings: warningsOf(file, known),
  }
}

function upstreamsOf(file: ConfigFile, sections: readonly NamedSection[]): UpstreamConfig[] {
  return sections.map((section) => {
    try {
      return readUpstream(section)
    } catch (error) {
      if (error instanceof RegistryError) throw new ConfigInvalid(`${file.path}: ${error.message}`, { cause: error })
      throw error
    }
  })
}

function enabledOf({ DEFAULT }: Config, { found }: Discovery): readonly string[] {
  if (DEFAULT.enabled_deploy_interfaces.length > 0) return DEFAULT.enabled_deploy_interfaces
  const bundled = found.filter(({ folder }) => dirname(folder) === BUNDLED_PLUGINS)
  return bundled.sort((a, b) => Number(b.first ?? false) - Number(a.first ?? false)).map(({ name }) => name)
}

async function openConfigFile(path: string | undefined): Promise<ConfigFile> {
  const name = path ?? DEFAULT_CONFIG_FILE
  try {
    return readConfigFile(name, await readFile(name, 'utf8'))
  } catch (error) {
    if (path === undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') return NO_FILE
    throw new ConfigInvalid(`The configuration file ${name} cannot be read: ${messageOf(error)}`, { cause: error })
  }
}
