/**
 * What a hook of an inspection is, and what it works on. Nothing of it is in a record before the last hook is through.
 */
import { isObject } from '@appliance/ground/json'
import type { Config } from '../../../config/options.ts'
import { DeployFailure } from '../../../errors.ts'
import type { Json } from '../../../plugin-api/index.ts'
import type { Node } from '../../../records/kinds/node.ts'
import type { Port } from '../../../records/kinds/port.ts'

export type HookOptions = Config['inspector']

export type Inspection = {
  /** As it was before. */
  readonly node: Node
  readonly options: HookOptions
  /** As the agent, or a BMC, told it: nothing in it is certain. Not to be changed. */
  readonly inventory: Json
  /** The rest of what was told. Hooks add to it. */
  readonly plugin_data: Json
  /** Of the node. Hooks change them. */
  readonly properties: Json
  /** Of the node, by address. Hooks change, add and remove them. */
  readonly ports: Map<string, DraftPort>
  /** What the inspection before this one found; undefined: there was none. */
  before(): Promise<Json | undefined>
  /** For the log. */
  warn(reason: string): void
}
/** A port as it is to become. */
export type DraftPort = Pick<Port, 'address'> &
  Partial<Pick<Port, 'pxe_enabled' | 'extra' | 'local_link_connection' | 'physical_network'>>

export type Hook = {
  /** Hooks that have to stand before this one. */
  after?: readonly string[]
  /** Before any `run`: whether what was told can be worked with. */
  preprocess?(inspection: Inspection): void
  run?(inspection: Inspection): void | Promise<void>
}

/** @source Ironic InvalidNodeInventory */
export class InvalidNodeInventory extends DeployFailure {
  constructor(node: Node, reason: string) {
    super(`Inventory for node ${node.uuid} is invalid: ${reason}`)
  }
}

/** The member as an object; {} when it is none. */
export function memberOf(found: Json, name: string): Json {
  const member = found[name]
  return isObject(member) ? member : {}
}

/** The items of a list that are objects; none when it is no list. */
export const itemsOf = (list: unknown): readonly Json[] => (Array.isArray(list) ? list.filter(isObject) : [])

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/

/** Lower case with colons; undefined: it is no MAC. */
export function macIn(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const mac = value.toLowerCase().replaceAll('-', ':')
  return MAC.test(mac) ? mac : undefined
}

/** The text when it is one of at most so many characters. */
export const textIn = (value: unknown, limit = 255): string | undefined =>
  typeof value === 'string' && value !== '' && value.length <= limit ? value : undefined

/** The number, also where a text has it. */
export function numberIn(value: unknown): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined
}
