/** The port record: one network card of a machine, found by its MAC. */
import { randomUUID } from 'node:crypto'
import type { Json } from '../../plugin-api/index.ts'
import { timestamp } from '../timestamp.ts'

export type Port = {
  uuid: string
  created_at: string
  updated_at: string | null
  /** MAC, lower case with colons; unique over all ports. */
  address: string
  node_uuid: string
  name: string | null
  description: string | null
  category: string | null
  vendor: string | null
  pxe_enabled: boolean
  local_link_connection: Json
  portgroup_uuid: string | null
  physical_network: string | null
  is_smartnic: boolean
  extra: Json
  internal_info: Json
}

/** A port of which only these fields are known. */
export function newPort(fields: Partial<Port> & Pick<Port, 'address' | 'node_uuid'>): Port {
  return {
    uuid: randomUUID(),
    created_at: timestamp(),
    updated_at: null,
    name: null,
    description: null,
    category: null,
    vendor: null,
    pxe_enabled: true,
    local_link_connection: {},
    portgroup_uuid: null,
    physical_network: null,
    is_smartnic: false,
    extra: {},
    internal_info: {},
    ...fields,
  }
}
