/** The port record: one network card of a machine, found by its MAC. */
import type { Json } from '../../plugin-api/index.ts'
import { type Base, type Kind, newRecord } from '../kind.ts'

export type Port = Base & {
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
  available_for_dynamic_portgroup: boolean
  physical_network: string | null
  is_smartnic: boolean
  extra: Json
  internal_info: Json
}

/** The row of ports. Sentences are Ironic's. */
export const PORTS: Kind<Port, 'address' | 'name', 'node_uuid' | 'portgroup_uuid'> = {
  noun: 'Port',
  defaults: {
    name: null,
    description: null,
    category: null,
    vendor: null,
    pxe_enabled: true,
    local_link_connection: {},
    portgroup_uuid: null,
    available_for_dynamic_portgroup: true,
    physical_network: null,
    is_smartnic: false,
    extra: {},
    internal_info: {},
  },
  unique: {
    address: { conflict: ({ address }) => `A port with MAC address ${address} already exists.` },
    name: { conflict: ({ name }) => `A port with name ${name} already exists.` },
  },
  indexes: ['node_uuid', 'portgroup_uuid'],
  spelling: { address: (mac) => mac.toLowerCase() },
  owner: { kind: 'nodes', field: 'node_uuid' },
  groups: [{ kind: 'portgroups', field: 'portgroup_uuid' }],
}

/** A port of which only these fields are known. */
export const newPort = (fields: Partial<Port> & Pick<Port, 'address' | 'node_uuid'>): Port => newRecord(PORTS, fields)
