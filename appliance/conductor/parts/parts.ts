/** What the conductor works with: handed to each of its files, so that they need not know how it is put together. */

import { withPlainNumbers } from '@appliance/ground/exact-number'
import type { Reserve } from '@appliance/ground/reserve'
import type { AgentClient } from '../../agent/client.ts'
import type { Config } from '../../config/options.ts'
import type { Guests } from '../../guest/guest.ts'
import type { Hardware } from '../../hardware/hardware.ts'
import type { Images } from '../../images/images.ts'
import type { Log } from '../../log.ts'
import type { DeployPlugin, Json, Task } from '../../plugin-api/index.ts'
import { deepFreeze } from '../../records/frozen.ts'
import type { Histories } from '../../records/histories.ts'
import type { Inspections } from '../../records/inspections.ts'
import type { Node } from '../../records/kinds/node.ts'
import type { Store } from '../../records/store.ts'
import type { Renderer } from '../../render/render.ts'
import type { Background } from './background.ts'
import type { CodeInUse, PluginCode } from './code-in-use.ts'
import type { NodeRegistry } from './node-registry.ts'
import type { Reservations } from './reservations.ts'
import type { Strangers } from './strangers.ts'
import type { Turns } from './turns.ts'

/** What is kept from programs of plugins: `paths`, but not what is said in `but`. */
export type Hidden = { paths: readonly string[]; but: readonly string[] }

export type ConductorOptions = {
  hostname: string
  store: Store
  config: Config
  log: Log
  hardware: Hardware
  images: Images
  /** Left out: [registry] enabled is false. */
  registry?: NodeRegistry
  /** Left out: no virtual machines run here. */
  guests?: Guests
  /** The loaded ones, the first is the default unless [DEFAULT] default_deploy_interface says otherwise. */
  plugins: readonly DeployPlugin[]
  /** For the private folders of procedures: made when needed, and nobody else's. */
  folder: string
  /** What inspections found, and what is not looked at yet. */
  inspections: Inspections
  /** What happened to nodes. */
  histories: Histories
  /** What programs of plugins leave of the disk; left out: nothing. */
  reserve?: Reserve
  /** What programs of plugins do not see; left out: they see all. */
  hidden?: Hidden
  /**
   * Base of the API as agents reach it, without a slash at the end, e.g. http://172.22.0.1:8080. Asked when needed: the
   * port may be 0 before listening.
   */
  api_url(): string
  /** Base of what machines fetch by HTTP, without a slash at the end. */
  http_url(): string
  /** The values of a plugin's own options, before a node's overrides; none when left out. */
  option_values?(plugin: string): Json
  /**
   * Whether the deploy ramdisk is there, and made for this machine; left out: that is not looked at.
   * @throws PxeError  in the operator's words
   */
  checkRamdisk?(wanted: { layers: readonly string[]; cpu_arch?: string }): Promise<unknown>
  /**
   * Whether our DHCP has given this address to this MAC; undefined, or left out: it cannot be told, as with another
   * DHCP server. @param mac  lower case with colons
   */
  isLeased?(mac: string, address: string): Promise<boolean | undefined>
  /** For counts. `kind`: deploy, clean, ...; not called where there was nothing to do. */
  onProcedureEnd?(kind: string, result: 'done' | 'failed'): void
}
/** What of it comes of plugins is of the code that was loaded last. */
export type Parts = Omit<ConductorOptions, keyof PluginCode> & {
  readonly plugins: PluginCode['plugins']
  readonly hardware: PluginCode['hardware']
  option_values: PluginCode['option_values']
  code: CodeInUse
  agent: AgentClient
  renderer: Renderer
  reservations: Reservations
  background: Background
  turns: Turns
  strangers: Strangers
}

/** For what is asked for one node: its procedure may have begun with earlier code. */
export type OfNode = Partial<Pick<Parts, 'code'>>

/** What a plugin sees of it: frozen, with secrets in plain, and with plain numbers wherever those hold the value. */
export function nodeForPlugin(node: Node): Task['node'] {
  const { uuid, name, driver, properties, driver_info, instance_info, extra, target_raid_config } = node
  const fields = { uuid, name, driver, properties, driver_info, instance_info, extra, target_raid_config }
  return deepFreeze(withPlainNumbers(fields))
}

/** `base` with `patch` over it; undefined takes a key away. */
export function merged<T extends Json>(base: T, patch: { [K in keyof T]?: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries({ ...base, ...patch }).filter(([, value]) => value !== undefined)) as T
}
