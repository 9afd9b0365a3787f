/** The port group record: network cards of a machine that are bonded into one. */
import type { Json } from '../../plugin-api/index.ts'
import type { Base, Kind } from '../kind.ts'

export type Portgroup = Base & {
  /** MAC, lower case with colons; unique over all port groups. */
  address: string | null
  node_uuid: string
  name: string | null
  /** Of the bond, as the Linux kernel names it. */
  mode: string | null
  /** Of the bond. */
  properties: Json
  standalone_ports_supported: boolean
  physical_network: string | null
  category: string | null
  dynamic_portgroup: boolean
  extra: Json
  internal_info: Json
}

/** The row of port groups. Sentences are Ironic's. */
export const PORTGROUPS: Kind<Portgroup, 'address' | 'name', 'node_uuid'> = {
  noun: 'Portgroup',
  defaults: {
    address: null,
    name: null,
    // Of documents; a new record's is [DEFAULT] default_portgroup_mode.
    mode: 'active-backup',
    properties: {},
    standalone_ports_supported: true,
    physical_network: null,
    category: null,
    dynamic_portgroup: false,
    extra: {},
    internal_info: {},
  },
  unique: {
    address: { conflict: ({ address }) => `A portgroup with MAC address ${address} already exists.` },
    name: { conflict: ({ name }) => `A portgroup with name ${name} already exists.` },
  },
  indexes: ['node_uuid'],
  spelling: { address: (mac) => mac?.toLowerCase() ?? null },
  owner: { kind: 'nodes', field: 'node_uuid' },
}
