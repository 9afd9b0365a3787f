/** The row of /v1/ports, and of /v1/nodes/{node}/ports. */
import { Forbidden, InvalidParameterValue } from '../../../errors.ts'
import type { Port } from '../../../records/kinds/port.ts'
import { filter } from '../../collection.ts'
import type { ApiParts, Call } from '../../parts.ts'
import { findRecord, type Resource } from '../../resource.ts'
import { ident, mac, text, uuid } from '../../schema.ts'
import { asksForSeveral, filtersByNode } from '../node/belonging.ts'
import { nodeOf } from '../node/names.ts'
import { draftPort, giveNetwork, PORTS_NODE, portChange } from './changes.ts'
import { PORT_DEFAULTS, PORT_FIELDS } from './fields.ts'

export function portResource(parts: ApiParts): Resource<Port> {
  const { nodes, ports, portgroups } = parts.store
  const nodeNamed = (wanted: string) => nodes.find(wanted).uuid
  const groupOf = (call: Call) =>
    findRecord(
      { noun: 'Portgroup', named: 23, records: portgroups },
      call.req.param('portgroup') ?? '',
      call.get('minor'),
    )
  return {
    name: 'ports',
    noun: 'Port',
    named: 0,
    records: ports,
    fields: PORT_FIELDS,
    defaults: PORT_DEFAULTS,
    filters: {
      ...filtersByNode<Port>(parts, { shard: 82 }),
      node_uuid: filter(uuid, (port, wanted) => port.node_uuid === wanted),
      address: filter(mac, (port, wanted) => port.address === wanted),
      portgroup: filter(ident, (port, wanted) => port.portgroup_uuid === portgroups.find(wanted).uuid, 24),
      description_contains: filter(text, (port, wanted) => port.description?.includes(wanted) ?? false),
    },
    checkQuery({ node, node_uuid, portgroup, shard, conductor_groups, address }, isWithin) {
      if (asksForSeveral([isWithin || (node_uuid ?? node), portgroup, shard]))
        throw new Forbidden('Operation not permitted.')
      if (conductor_groups !== undefined && (isWithin || node_uuid || node || portgroup || address)) {
        throw new InvalidParameterValue(
          'Filtering by conductor_groups cannot be combined with node_ident, portgroup_ident, or node address filters.',
        )
      }
    },
    candidates({ address, node, node_uuid, portgroup }) {
      if (typeof address === 'string') {
        const port = ports.by('address', address)
        return port ? [port] : []
      }
      if (typeof portgroup === 'string') return ports.where('portgroup_uuid', portgroups.find(portgroup).uuid)
      const of = node ?? node_uuid
      return typeof of === 'string' ? ports.where('node_uuid', nodeNamed(of)) : ports.all()
    },
    within: [
      { path: 'nodes/:node/ports', candidates: (call) => ports.where('node_uuid', nodeOf(call, parts).uuid) },
      {
        path: 'portgroups/:portgroup/ports',
        since: 24,
        candidates: (call) => ports.where('portgroup_uuid', groupOf(call).uuid),
      },
    ],
    node: PORTS_NODE,
    create: {
      required: ['address'],
      // Uuid or name, instead of node_uuid.
      also: { node_ident: { schema: text, since: 94 } },
      draft: (given, asked) => draftPort(parts, given, asked),
      created: (port) => giveNetwork(parts, port),
    },
    patch: {
      change: (port, fields, asked) => portChange(parts, port, fields, asked),
      changed: (_, port) => giveNetwork(parts, port),
    },
  }
}
