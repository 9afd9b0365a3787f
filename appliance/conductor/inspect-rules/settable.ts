/** What of a node and of a port an inspection rule may set, and what the values have to be. */
import { readBoolean } from '@appliance/ground/booleans'
import { hasMembers } from '@appliance/ground/exact-number'
import type { Json } from '../../plugin-api/index.ts'
import { INTERFACE_TYPES, type Node } from '../../records/kinds/node.ts'
import { pythonText } from './python-format.ts'

/** A value in the spelling of the record, null for none. @throws Error  it does not fit */
type Check = (value: unknown) => unknown

const text =
  (limit: number, fits = /^/): Check =>
  (value) => {
    if (value === null || value === undefined) return null
    const given = pythonText(value)
    if (hasMembers(value) || given.length > limit || !fits.test(given)) {
      throw new Error(`'${given.slice(0, 80)}' does not fit: expected a text of at most ${limit} characters`)
    }
    return given
  }
const table: Check = (value) => {
  if (value === null || value === undefined) return {}
  if (hasMembers(value) && !Array.isArray(value)) return value
  throw new Error(`'${pythonText(value).slice(0, 80)}' is no object`)
}
const flag =
  (none: boolean | null): Check =>
  (value) => {
    if (value === null || value === undefined) return none
    const claim = readBoolean(value)
    if (claim === undefined) throw new Error(`'${pythonText(value).slice(0, 80)}' is neither true nor false`)
    return claim
  }
/** @source Ironic api/controllers/v1/utils.TRAITS_SCHEMA, db MAX_TRAITS_PER_NODE */
const TRAIT = /^[A-Z][A-Z0-9_]{0,254}$/
const TRAITS_LIMIT = 50
const traits: Check = (value) => {
  const names = (Array.isArray(value) ? value : []).map(String)
  const odd = names.find((name) => !TRAIT.test(name))
  if (odd !== undefined) throw new Error(`'${odd.slice(0, 80)}' is no name of a trait`)
  if (names.length > TRAITS_LIMIT) throw new Error(`a node has at most ${TRAITS_LIMIT} traits`)
  return [...new Set(names)].sort()
}

/** What the node is asked for when its inspection is done. */
const AFTERWARDS = ['manageable', 'available', 'active'] as const
export type Afterwards = (typeof AFTERWARDS)[number]
const afterwards: Check = (value) => {
  if (value === null || value === undefined || AFTERWARDS.some((state) => state === value)) return value ?? null
  throw new Error(`'${pythonText(value).slice(0, 80)}' is no state to go on to: expected ${AFTERWARDS.join(', ')}`)
}

type Checks = Readonly<Record<string, Check>>
const interfaces: Checks = Object.fromEntries(INTERFACE_TYPES.map((type) => [`${type}_interface`, text(255)]))

/** By the names of the API. What an interface, a procedure or another record decides is not among them. */
export const NODE_ATTRIBUTES: Checks = {
  name: text(255, /^(?!\.+$)[A-Za-z0-9._~-]*$/),
  description: text(4096),
  resource_class: text(80),
  owner: text(255),
  lessee: text(255),
  shard: text(255),
  conductor_group: (value) => String(text(255)(value) ?? '').toLowerCase(),
  instance_name: text(255),
  maintenance_reason: text(4096),
  retired_reason: text(4096),
  automated_clean: flag(null),
  disable_power_off: flag(false),
  maintenance: flag(false),
  retired: flag(false),
  driver: text(255, /./),
  driver_info: table,
  properties: table,
  instance_info: table,
  extra: table,
  network_data: table,
  traits,
  target_provision_state: afterwards,
  ...interfaces,
}
export const PORT_ATTRIBUTES: Checks = {
  name: text(255),
  description: text(255),
  category: text(80),
  vendor: text(32),
  physical_network: text(64, /./),
  pxe_enabled: flag(true),
  is_smartnic: flag(false),
  local_link_connection: table,
  extra: table,
}

/** The node as rules name its parts: with deploy_interface and the like, and nothing that is the store's own. */
export function attributesOf({ interfaces: chosen, wait: _, reservation: __, ...node }: Node): Json {
  const named = Object.entries(chosen).map(([type, name]) => [`${type}_interface`, name])
  return { ...node, target_provision_state: null, ...Object.fromEntries(named) }
}
