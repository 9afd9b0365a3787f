/** What programs of plugins do not see: where the appliance keeps secrets, and other people's images. */
import { isAbsolute, join } from 'node:path'
import type { Hidden } from '../conductor/parts/parts.ts'
import type { Config } from '../config/options.ts'

/**
 * @param file  of the configuration; no absolute path: there is none
 * @param storage_path  of the registry mirror
 */
export function hiddenOf({ DEFAULT, registry }: Config, file: string, storage_path?: string): Hidden {
  const { state_path, plugin_path } = DEFAULT
  return {
    paths: [
      state_path,
      ...(isAbsolute(file) ? [file] : []),
      ...(registry.enabled && storage_path ? [storage_path] : []),
    ],
    // Plugins bring programs of their own.
    but: [join(state_path, 'node_modules'), ...plugin_path],
  }
}
