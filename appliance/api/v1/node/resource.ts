/**
 * The row of /v1/nodes: list, detail, show, create, patch, delete. What else there is of a node has files of its own
 * beside this.
 */
import type { Node } from '../../../records/kinds/node.ts'
import { type Fields, objectField } from '../../fields.ts'
import type { ApiParts } from '../../parts.ts'
import { findRecord, type Resource } from '../../resource.ts'
import { draftNode } from './create.ts'
import { checkDeletable } from './delete.ts'
import { LIST_DEFAULTS, NODE_FIELDS, NODE_SUBRESOURCES } from './fields.ts'
import { nodeFilters } from './filters.ts'
import { NAMED_SINCE } from './names.ts'
import { networkDataBy } from './network-data.ts'
import { nodePatch } from './patch.ts'

export function nodeResource(parts: ApiParts): Resource<Node> {
  const { store, conductor } = parts
  const chassisRow = { noun: 'Chassis', records: store.chassis }
  const nodesIn = (chassis: string) => store.nodes.where('chassis_uuid', findRecord(chassisRow, chassis, 0).uuid)
  return {
    name: 'nodes',
    noun: 'Node',
    named: NAMED_SINCE,
    records: store.nodes,
    fields: fieldsOf(parts),
    defaults: LIST_DEFAULTS,
    filters: nodeFilters(conductor.hostname),
    subresources: NODE_SUBRESOURCES,
    candidates(query) {
      if (typeof query.instance_uuid === 'string') {
        const node = store.nodes.by('instance_uuid', query.instance_uuid)
        return node ? [node] : []
      }
      if (typeof query.chassis_uuid === 'string') return nodesIn(query.chassis_uuid)
      return store.nodes.all()
    },
    // @source Ironic db/sqlalchemy/api.py
    hides: ({ parent_node }, query) =>
      parent_node !== null && !query.include_children && query.parent_node === undefined,
    within: [{ path: 'chassis/:chassis/nodes', candidates: (call) => nodesIn(call.req.param('chassis') ?? '') }],
    node: { uuidOf: ({ uuid }) => uuid, checkDelete: checkDeletable },
    create: { required: ['driver'], ignoresEmpty: true, draft: (given, asked) => draftNode(parts, given, asked) },
    patch: nodePatch(parts),
  }
}

function fieldsOf({ conductor, network_data_schema: schema }: ApiParts): Fields<Node> {
  const { network_data } = NODE_FIELDS
  return {
    ...NODE_FIELDS,
    conductor: { ...NODE_FIELDS.conductor, read: () => conductor.hostname },
    network_data: { ...network_data, ...(schema === undefined ? {} : objectField(networkDataBy(schema))) },
  }
}
