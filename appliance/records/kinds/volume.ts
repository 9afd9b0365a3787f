/** Volume connectors and targets: how a machine reaches volumes on a storage network, and which it boots from. */
import type { Json } from '../../plugin-api/index.ts'
import type { Base, Kind } from '../kind.ts'

export type VolumeConnector = Base & {
  node_uuid: string
  /** `iqn`, `wwpn`, `ip` and the like. */
  type: string
  connector_id: string
  extra: Json
}

export type VolumeTarget = Base & {
  node_uuid: string
  /** `iscsi` and the like. */
  volume_type: string
  volume_id: string
  /** 0: it is booted from. */
  boot_index: number
  properties: Json
  extra: Json
}

/** The row of volume connectors. Sentences are Ironic's. */
export const VOLUME_CONNECTORS: Kind<VolumeConnector, 'type_and_id', 'node_uuid'> = {
  noun: 'Volume connector',
  defaults: { extra: {} },
  unique: {
    type_and_id: {
      of: ({ type, connector_id }) => JSON.stringify([type, connector_id]),
      conflict: ({ type, connector_id }) =>
        `A volume connector with type ${type} and connector ID ${connector_id} already exists.`,
    },
  },
  indexes: ['node_uuid'],
  owner: { kind: 'nodes', field: 'node_uuid' },
}

/** The row of volume targets. Sentences are Ironic's. */
export const VOLUME_TARGETS: Kind<VolumeTarget, 'boot_index_of_node', 'node_uuid'> = {
  noun: 'Volume target',
  defaults: { properties: {}, extra: {} },
  unique: {
    boot_index_of_node: {
      of: ({ node_uuid, boot_index }) => `${node_uuid} ${boot_index}`,
      conflict: ({ boot_index }) => `A volume target with boot index '${boot_index}' for the same node already exists.`,
    },
  },
  indexes: ['node_uuid'],
  owner: { kind: 'nodes', field: 'node_uuid' },
}
