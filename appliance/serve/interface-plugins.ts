/** Plugins that bring interfaces other than deploy: which are enabled, loaded, and offered to the hardware types. */
import type { Config } from '../config/options.ts'
import { isBuiltIn, type Offer, TYPES } from '../hardware/enabled.ts'
import type { Brought } from '../hardware/hardware.ts'
import type { InterfacePlugin } from '../plugin-api/interfaces.ts'
import type { Discovery, PluginFailure } from '../plugin-host/discover.ts'
import { type Host, loadPlugins } from '../plugin-host/load.ts'
import type { Manifest } from '../plugin-host/manifest.ts'

type LoadedInterface = { plugin: InterfacePlugin; manifest: Manifest; code_version: string }
export type InterfacePlugins = {
  brought: readonly Brought[]
  failures: readonly PluginFailure[]
  loaded: readonly LoadedInterface[]
}

/**
 * A plugin that is found and does not load stays an offer: its name is known, and nodes that have it are told why it is
 * not there.
 */
export async function loadInterfacePlugins(
  config: Config,
  discovery: Discovery,
  host: Host,
): Promise<InterfacePlugins> {
  const others = discovery.found.filter(({ kind, name }) => kind === 'deploy' || !isBuiltIn(kind, name))
  const failures: PluginFailure[] = discovery.found
    .filter((found) => !others.includes(found))
    .map(({ kind, name, folder }) => ({
      name,
      reason: `${folder} holds a ${kind} plugin named "${name}", as the appliance's own is: give it another name`,
    }))
  const loaded = new Map<string, LoadedInterface>()
  for (const type of TYPES) {
    const enabled = config.DEFAULT[`enabled_${type}_interfaces`].filter((name) =>
      others.some((found) => found.kind === type && found.name === name),
    )
    const outcome = await loadPlugins(type, enabled, { ...discovery, found: others, failures: [] }, host)
    failures.push(...outcome.failures)
    for (const each of outcome.plugins) loaded.set(`${type}/${each.plugin.name}`, each)
  }
  return {
    brought: others.map(({ kind, name, hardware_types }) => {
      const implementation = loaded.get(`${kind}/${name}`)?.plugin
      const offer: Offer = { type: kind, name, ...(hardware_types && { hardware_types }) }
      return { ...offer, ...(implementation && { implementation }) }
    }),
    failures,
    loaded: [...loaded.values()],
  }
}
