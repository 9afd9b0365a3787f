/** The hardware types and implementations that the configuration enables: what a node names is what is called. */
import { join } from 'node:path'
import { createReach } from '@appliance/ground/reach'
import type { Config } from '../config/options.ts'
import { InvalidParameterValue } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Interfaces } from '../plugin-api/interfaces.ts'
import { type Consoles, createConsoles } from './console/consoles.ts'
import { allows, type Names, type Offer, settle, TYPES, type Type } from './enabled.ts'
import { IMPLEMENTATIONS } from './implementations.ts'
import { createIpmi } from './ipmi/ipmi.ts'
import { createRedfish } from './redfish/redfish.ts'

export type Hardware = {
  /** By enabled hardware type: the enabled implementations that it allows, the default first. */
  readonly allowed: ReadonlyMap<string, Names>
  /** Whether a node of this hardware type may name it; deploy is known by what plugins say. */
  allows(driver: string, type: string, name: string): boolean
  /** Names. */
  enabled(type: Type): readonly string[]
  /** undefined: not enabled. */
  find<K extends Type>(type: K, name: string): Interfaces[K] | undefined
}

/** What a plugin brings; without an implementation it is only an offer, as deploy interfaces are. */
export type Brought = Offer & { implementation?: Interfaces[Type] }
export type HardwareOptions = {
  config: Pick<Config, 'DEFAULT' | 'conductor' | 'console' | 'deploy' | 'ipmi' | 'redfish'>
  log: Log
  /** Those of the appliance, kept over a reload of its plugins. */
  consoles?: Consoles
  /** In order of preference. */
  plugins?: readonly Brought[]
}

export const consolesOf = ({ DEFAULT, console }: Pick<Config, 'DEFAULT' | 'console'>, log: Log): Consoles =>
  createConsoles({
    log,
    folder: join(DEFAULT.state_path, 'consoles'),
    host: console.socat_address,
    port_range: console.port_range,
  })

/** @throws InvalidParameterValue  with all that is wrong with the options */
export function createHardware({
  config,
  log,
  consoles = consolesOf(config, log),
  plugins = [],
}: HardwareOptions): Hardware {
  const { enabled, allowed, problems } = settle(config, plugins)
  if (problems.length > 0) throw new InvalidParameterValue(problems.join('\n'))
  const reach = createReach({ allowed: config.DEFAULT.reachable_networks, option: '[DEFAULT] reachable_networks' })
  const common = {
    ...{ log, reach, default_boot_mode: config.deploy.default_boot_mode },
    power_state_change_timeout_s: config.conductor.power_state_change_timeout,
    soft_power_off_timeout_s: config.conductor.soft_power_off_timeout,
  }
  const shared = {
    ...{ log, consoles },
    ipmi: createIpmi({ ...common, settings: config.ipmi }),
    redfish: createRedfish({ ...common, config: config.redfish }),
  }
  const built = Object.fromEntries(
    TYPES.map((type) => {
      const own = Object.entries(IMPLEMENTATIONS[type]).map(([name, make]) => [name, make(shared)] as const)
      const brought = plugins.flatMap((plugin) =>
        plugin.type === type && plugin.implementation ? [[plugin.name, plugin.implementation] as const] : [],
      )
      const all = [...brought, ...own].filter(([name]) => enabled[type].includes(name))
      return [type, new Map<string, Interfaces[Type]>(all)]
    }),
  ) as unknown as Record<Type, ReadonlyMap<string, Interfaces[Type]>>
  return {
    allowed,
    allows: (driver, type, name) => allows(driver, type, name, plugins),
    enabled: (type) => enabled[type],
    find: <K extends Type>(type: K, name: string) => built[type].get(name) as Interfaces[K] | undefined,
  }
}
