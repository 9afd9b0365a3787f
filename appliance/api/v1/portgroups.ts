/** The row of /v1/portgroups, and of /v1/nodes/{node}/portgroups. */
import { Conflict, InvalidParameterValue } from '../../errors.ts'
import type { Json } from '../../plugin-api/index.ts'
import type { Node } from '../../records/kinds/node.ts'
import type { Portgroup } from '../../records/kinds/portgroup.ts'
import { filter } from '../collection.ts'
import { type Fields, objectField, RECORD_FIELDS, switchField } from '../fields.ts'
import { givenValues } from '../json-patch.ts'
import type { ApiParts } from '../parts.ts'
import type { Resource } from '../resource.ts'
import { checkLogicalName, dict, limitedText, mac, text } from '../schema.ts'
import { asksForSeveral, filtersByNode, nodeAfter } from './node/belonging.ts'
import { nodeOf } from './node/names.ts'
import { CONNECTIVITY_STATES } from './port/changes.ts'

/** @source Ironic api/controllers/v1/portgroup.py */
const FIELDS: Fields<Portgroup> = {
  ...RECORD_FIELDS,
  address: { write: mac.nullable() },
  category: { since: 103, write: limitedText(80).nullable() },
  dynamic_portgroup: { since: 111 },
  extra: objectField(dict),
  internal_info: { none: {}, sortable: false },
  mode: { since: 26, write: limitedText(255).nullable() },
  name: { write: text.nullable() },
  node_uuid: { write: text, sortable: false },
  physical_network: { since: 102, write: limitedText(64).nullable() },
  properties: { since: 26, ...objectField(dict) },
  standalone_ports_supported: switchField(true),
}

export function portgroupResource(parts: ApiParts): Resource<Portgroup> {
  const { ports, portgroups } = parts.store
  return {
    ...{ name: 'portgroups', noun: 'Portgroup', since: 23, named: 23, records: portgroups, fields: FIELDS },
    defaults: ['uuid', 'address', 'name'],
    subresources: { ports: 0 },
    filters: {
      ...filtersByNode<Portgroup>(parts, { shard: 106 }),
      address: filter(mac, ({ address }, wanted) => address === wanted),
    },
    checkQuery({ node, address, shard, conductor_groups }, isWithin) {
      if (!asksForSeveral([isWithin, node, address, shard, conductor_groups])) return
      throw new InvalidParameterValue('Filtering by node, address, or shard simultaneously is not supported.')
    },
    within: [
      {
        path: 'nodes/:node/portgroups',
        since: 24,
        candidates: (call) => portgroups.where('node_uuid', nodeOf(call, parts).uuid),
      },
    ],
    node: {
      uuidOf: ({ node_uuid }) => node_uuid,
      checkPatch(node, { uuid }, { minor }) {
        if (node.provision_state !== 'inspecting' || minor < 39) return
        throw new Conflict(
          `Cannot update portgroup "${uuid}" on node "${node.uuid}" while it is in state "inspecting".`,
        )
      },
    },
    create: {
      required: ['node_uuid'],
      draft(given) {
        checkLogicalName(given.name, 'Cannot create portgroup with invalid name')
        return { ...given, mode: String(given.mode || parts.config.DEFAULT.default_portgroup_mode) }
      },
    },
    patch: {
      check(patch, { ident }) {
        for (const name of givenValues(patch, '/name')) {
          checkLogicalName(name, `Portgroup ${ident}: Cannot change name to invalid name`)
        }
        if (patch.some(({ op, path }) => op === 'remove' && path === '/mode')) {
          throw new InvalidParameterValue("'mode' is a mandatory attribute and can not be removed")
        }
      },
      change: (portgroup, fields) => changed(parts, portgroup, fields),
      // A bond is in the network that its cards are in.
      async changed(before, { uuid, physical_network }) {
        if (before.physical_network === physical_network) return
        await Promise.all(
          ports.where('portgroup_uuid', uuid).map((port) => ports.update(port.uuid, { physical_network })),
        )
      },
    },
  }
}

function changed(parts: ApiParts, { uuid, node_uuid }: Portgroup, fields: Json): Partial<Portgroup> {
  const node = nodeAfter(parts, { node_uuid }, fields.node_uuid)
  if (node.uuid !== node_uuid) checkMove(parts, uuid, node)
  return { ...fields, node_uuid: node.uuid }
}

/** @throws Conflict, InvalidParameterValue. @source Ironic conductor/manager.update_portgroup */
function checkMove({ store }: ApiParts, uuid: string, node: Node): void {
  if (!CONNECTIVITY_STATES.includes(node.provision_state) && !node.maintenance) {
    throw new Conflict(
      `Portgroup ${uuid} can not be associated to node ${node.uuid} unless the node is in a ` +
        `${CONNECTIVITY_STATES.join(', ')} state or in maintenance mode. Current state is '${node.provision_state}'.`,
    )
  }
  if (store.ports.where('portgroup_uuid', uuid).length > 0) {
    throw new InvalidParameterValue(
      `Portgroup ${uuid} can not be associated with node ${node.uuid} because there are ports associated with this portgroup.`,
    )
  }
}
