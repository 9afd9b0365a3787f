/** What programs of plugins do not see: where the appliance keeps secrets, and other people's images. */
import { isAbsolute, join } from 'node:path'
import { type RegistryConfig, registryOptions } from '@appliance/registry-mirror/settings'
import type { Hidden } from '../conductor/parts/parts.ts'
import { type Config, SECTIONS } from '../config/options.ts'
import { namedIn } from './trust.ts'

/**
 * @param file  of the configuration; no absolute path: there is none
 * @param mirror  the options of the registry mirror's own
 */
export function hiddenOf(config: Config, file: string, mirror?: RegistryConfig): Hidden {
  const { DEFAULT, registry } = config
  const { state_path, plugin_path } = DEFAULT
  const ofSections = Object.entries(SECTIONS).flatMap(([name, options]) =>
    secretFiles({ options, values: config[name as keyof Config] }),
  )
  return {
    paths: [
      state_path,
      ...(isAbsolute(file) ? [file] : []),
      ...(registry.enabled && mirror
        ? [mirror.storage_path, ...secretFiles({ options: registryOptions, values: mirror })]
        : []),
      ...ofSections,
    ],
    // Plugins bring programs of their own.
    but: [join(state_path, 'node_modules'), ...plugin_path],
  }
}

/** What options of the box itself name. Those of plugins are for the plugins' own programs. */
const secretFiles = (table: Parameters<typeof namedIn>[0]): string[] =>
  namedIn(table).flatMap(({ path, holds }) => (holds === 'secret' ? [path] : []))
