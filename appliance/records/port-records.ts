/** What is particular to the records of ports: one spelling of addresses, unique fields, and the ports of a node. */
import { type Backing, DurableRecords, type Kind } from './durable-records.ts'
import { newPort, type Port } from './kinds/port.ts'
import type { Ports } from './store.ts'

const NONE: readonly Port[] = Object.freeze([])

/** Sentences are Ironic's. */
const portsKind = (onShown: Kind<Port>['onShown']): Kind<Port> => ({
  name: 'ports',
  noun: 'Port',
  uniques: [
    {
      field: 'address',
      claimOf: ({ address }) => address,
      conflict: ({ address }) => `A port with MAC address ${address} already exists.`,
    },
    {
      field: 'name',
      claimOf: ({ name }) => name,
      conflict: ({ name }) => `A port with name ${name} already exists.`,
    },
  ],
  volatile: {},
  normalize: (port) => ({ ...port, address: port.address.toLowerCase() }),
  onShown,
})

export class PortRecords extends DurableRecords<Port> implements Ports {
  readonly #ofNode: Map<string, readonly Port[]>

  constructor(backing: Backing) {
    const ofNode = new Map<string, readonly Port[]>()
    super(
      portsKind((before, after) => keepByNode(ofNode, before, after)),
      backing,
    )
    this.#ofNode = ofNode
  }

  byAddress(mac: string): Port | undefined {
    return this.by('address', mac.toLowerCase())
  }

  ofNode(node_uuid: string): readonly Port[] {
    return this.#ofNode.get(node_uuid) ?? NONE
  }
}

function keepByNode(ofNode: Map<string, readonly Port[]>, before: Port | undefined, after: Port | undefined): void {
  if (before && before.node_uuid === after?.node_uuid) {
    const ports = ofNode.get(before.node_uuid) ?? NONE
    ofNode.set(after.node_uuid, Object.freeze(ports.map((port) => (port === before ? after : port))))
    return
  }
  if (before) {
    const rest = (ofNode.get(before.node_uuid) ?? NONE).filter((port) => port !== before)
    if (rest.length > 0) ofNode.set(before.node_uuid, Object.freeze(rest))
    else ofNode.delete(before.node_uuid)
  }
  if (after) ofNode.set(after.node_uuid, Object.freeze([...(ofNode.get(after.node_uuid) ?? NONE), after]))
}

/** What a field is that a document of an older version does not have. */
export const portDefaults = (): Port => newPort({ address: '', node_uuid: '' })
