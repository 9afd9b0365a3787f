/** Ports created and patched: what is checked beside the fields themselves, and when the node lets it happen. */
import { Conflict, InvalidParameterValue, MissingParameterValue } from '../../../errors.ts'
import type { Json } from '../../../plugin-api/index.ts'
import type { Node, ProvisionState } from '../../../records/kinds/node.ts'
import type { Port } from '../../../records/kinds/port.ts'
import type { ApiParts } from '../../parts.ts'
import type { Resource } from '../../resource.ts'
import { linkedNode } from '../node/names.ts'

/** What a change of needs a node that is not in use. @source Ironic conductor/manager.update_port */
const CONNECTIVITY: readonly (keyof Port)[] = [
  'portgroup_uuid',
  'pxe_enabled',
  'local_link_connection',
  'physical_network',
]
const CONNECTIVITY_STATES: readonly ProvisionState[] = ['enroll', 'inspecting', 'inspect wait', 'manageable']

/** @throws InvalidParameterValue, MissingParameterValue */
export function draftPort({ store }: ApiParts, { node_ident, ...given }: Json): Partial<Port> {
  const ident = node_ident ?? given.node_uuid
  if (typeof ident !== 'string')
    throw new MissingParameterValue("Schema error for port: 'node_uuid' is a required property")
  if (node_ident !== undefined && given.node_uuid !== undefined) {
    throw new InvalidParameterValue(
      'Schema error for port: node_ident and node_uuid are two names for one thing, give one.',
    )
  }
  const node = store.nodes.get(ident) ?? store.nodes.by('name', ident)
  // 404 would mean the port.
  if (!node) throw new InvalidParameterValue(`Node ${ident.slice(0, 255)} could not be found.`)
  checkPort(given)
  return { ...given, node_uuid: node.uuid }
}

/** @throws InvalidParameterValue */
export function portChange(parts: ApiParts, port: Port, fields: Json): Partial<Port> {
  const { node_uuid } = fields
  const linked = typeof node_uuid === 'string' ? { node_uuid: linkedNode(parts, node_uuid, 'node_uuid').uuid } : {}
  const change: Partial<Port> = { ...fields, ...linked }
  checkPort({ ...port, ...change })
  return change
}

function checkPort(port: Json): void {
  if (port.portgroup_uuid) throw new InvalidParameterValue(`Portgroup ${port.portgroup_uuid} could not be found.`)
  const { port_id, hostname } = (port.local_link_connection ?? {}) as Json
  if (port.is_smartnic === true && !(port_id && hostname)) {
    throw new InvalidParameterValue('Smart NIC port must have port_id and hostname in local_link_connection')
  }
}

/** What the node of a port is asked before a port of it changes. */
export const PORTS_NODE: Resource<Port>['node'] = {
  uuidOf: ({ node_uuid }) => node_uuid,
  checkPatch(node, port, { minor }) {
    if (node.provision_state === 'inspecting' && minor >= 39) {
      throw new Conflict(`Cannot update port "${port.uuid}" on "${node.uuid}" while it is in state "inspecting".`)
    }
  },
  checkChange(node, port, change) {
    if (node.maintenance) return
    if (change.address !== undefined && (node.provision_state === 'active' || node.instance_uuid)) {
      throw new Conflict(
        `Cannot update hardware address for port ${port.uuid} as node ${node.uuid} is active or has instance UUID assigned`,
      )
    }
    if (CONNECTIVITY.some((name) => name in change)) checkConnectivity(node, port)
  },
}

function checkConnectivity(node: Node, port: Port): void {
  if (CONNECTIVITY_STATES.includes(node.provision_state)) return
  throw new Conflict(
    `Port ${port.uuid} can not have any connectivity attributes (${CONNECTIVITY.join(', ')}) updated unless node ${node.uuid} ` +
      `is in a ${CONNECTIVITY_STATES.join(', ')} state or in maintenance mode. The current state is ${node.provision_state}.`,
  )
}
