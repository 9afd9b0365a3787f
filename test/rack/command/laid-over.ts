/**
 * What a person lays over the rack's own configuration of the appliance: an ini file, and folders of plugins. Reads
 * them; checks no option.
 */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parseIni } from '../../../appliance/config/ini.ts'
import { BUNDLED_PLUGINS, discoverPlugins } from '../../../appliance/plugin-host/discover.ts'
import { type ConfigChange, mergeConfig } from '../appliance-config.ts'
import { UsageError } from './options.ts'

/** `plugins`: the folder of each. */
export type LaidOver = { config: ConfigChange; plugins: readonly string[] }

/**
 * @param file  of --config; its options come last, and count
 * @param folders  of --plugin
 * @throws UsageError  the file or a folder is none
 */
export async function laidOver(file: string | undefined, folders: readonly string[]): Promise<LaidOver> {
  const { config, plugins } = folders.length === 0 ? { config: {}, plugins: [] } : await withPlugins(folders)
  return { config: mergeConfig(config, file === undefined ? {} : await readConfig(file)), plugins }
}

async function readConfig(file: string): Promise<ConfigChange> {
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new UsageError(`--config ${file} cannot be read: ${error.message}`)
  })
  const { entries, problems } = parseIni(text)
  const [problem] = problems
  if (problem) throw new UsageError(`--config ${file}: line ${problem.line}: ${problem.text}`)
  const change: Record<string, Record<string, string>> = {}
  for (const { section, name, value } of entries) change[section] = { ...change[section], [name]: value }
  return change
}

/**
 * Some that come with the appliance are enabled by name alone.
 * @param deploy_interface  what every node names; of one that is not here, the appliance tells
 */
export async function enabling(deploy_interface: string): Promise<ConfigChange> {
  const names = (await discoverPlugins([])).found.map(({ name }) => name)
  return names.includes(deploy_interface) ? { DEFAULT: { enabled_deploy_interfaces: names.join(',') } } : {}
}

/** Beside those that come with the appliance, which stay enabled and first. */
async function withPlugins(folders: readonly string[]): Promise<LaidOver> {
  const paths = folders.map((folder) => resolve(folder))
  const [bundled, all] = [await discoverPlugins([]), await discoverPlugins(paths)]
  const [failure] = all.failures
  if (failure) throw new UsageError(`--plugin: ${failure.reason}`)
  const barren = []
  for (const path of paths) if ((await discoverPlugins([], path)).found.length === 0) barren.push(path)
  if (barren[0] !== undefined) {
    throw new UsageError(
      `--plugin ${barren[0]} holds no plugin: its package.json, or that of a folder in it, has "appliance" with kind, name ` +
        `and apiVersion, as those in ${BUNDLED_PLUGINS} have`,
    )
  }
  const names = [...bundled.found, ...all.found].map(({ name }) => name)
  const brought = all.found.filter(({ folder }) => !bundled.found.some((own) => own.folder === folder))
  return {
    config: { DEFAULT: { plugin_path: paths.join(','), enabled_deploy_interfaces: [...new Set(names)].join(',') } },
    plugins: brought.map(({ folder }) => folder),
  }
}
