/** The row of /v1/ports, and of /v1/nodes/{node}/ports. */
import type { Port } from '../../../records/kinds/port.ts'
import { filter } from '../../collection.ts'
import type { ApiParts } from '../../parts.ts'
import type { Resource } from '../../resource.ts'
import { commaList, ident, mac, text, uuid } from '../../schema.ts'
import { nodeOf } from '../node/names.ts'
import { draftPort, PORTS_NODE, portChange } from './changes.ts'
import { PORT_DEFAULTS, PORT_FIELDS } from './fields.ts'

export function portResource(parts: ApiParts): Resource<Port> {
  const { nodes, ports } = parts.store
  const nodeNamed = (wanted: string) => nodes.find(wanted).uuid
  const shardOf = (port: Port) => nodes.get(port.node_uuid)?.shard?.toLowerCase()
  return {
    name: 'ports',
    noun: 'Port',
    named: 0,
    records: ports,
    fields: PORT_FIELDS,
    defaults: PORT_DEFAULTS,
    filters: {
      node: filter(ident, (port, wanted) => port.node_uuid === nodeNamed(wanted)),
      node_uuid: filter(uuid, (port, wanted) => port.node_uuid === wanted),
      address: filter(mac, (port, wanted) => port.address === wanted),
      portgroup: filter(ident, () => false, 24),
      shard: filter(commaList, (port, wanted) => wanted.includes(shardOf(port) ?? ''), 82),
      description_contains: filter(text, (port, wanted) => port.description?.includes(wanted) ?? false, 97),
    },
    candidates({ address, node, node_uuid }) {
      if (typeof address === 'string') {
        const port = ports.by('address', address)
        return port ? [port] : []
      }
      const of = node ?? node_uuid
      return typeof of === 'string' ? ports.where('node_uuid', nodeNamed(of)) : ports.all()
    },
    within: [{ path: 'nodes/:node/ports', candidates: (call) => ports.where('node_uuid', nodeOf(call, parts).uuid) }],
    node: PORTS_NODE,
    create: {
      required: ['address'],
      // Uuid or name, instead of node_uuid.
      also: { node_ident: { schema: text, since: 94 } },
      draft: (given) => draftPort(parts, given),
    },
    patch: { change: (port, fields) => portChange(parts, port, fields) },
  }
}
