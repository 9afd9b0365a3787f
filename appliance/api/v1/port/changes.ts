/** Ports created and patched: what is checked beside the fields themselves, and when the node lets it happen. */
import { Conflict, InvalidParameterValue, MissingParameterValue } from '../../../errors.ts'
import type { Json } from '../../../plugin-api/index.ts'
import type { Node, ProvisionState } from '../../../records/kinds/node.ts'
import type { Port } from '../../../records/kinds/port.ts'
import type { Portgroup } from '../../../records/kinds/portgroup.ts'
import type { ApiParts } from '../../parts.ts'
import type { Asked, Resource } from '../../resource.ts'
import { nodeAfter } from '../node/belonging.ts'
import { checkLinkVersion } from './local-link.ts'

/** What a change of needs a node that is not in use. @source Ironic conductor/manager.update_port */
const CONNECTIVITY: readonly (keyof Port)[] = [
  'portgroup_uuid',
  'pxe_enabled',
  'local_link_connection',
  'physical_network',
]
export const CONNECTIVITY_STATES: readonly ProvisionState[] = ['enroll', 'inspecting', 'inspect wait', 'manageable']

/** @throws InvalidParameterValue, MissingParameterValue */
export function draftPort({ store }: ApiParts, { node_ident, ...given }: Json, { minor }: Asked): Partial<Port> {
  checkLinkVersion(given.local_link_connection, minor)
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
  const port = { ...given, node_uuid: node.uuid }
  checkPort(port)
  const group = groupOf({ store }, port)
  if (group && given.pxe_enabled === true && !group.standalone_ports_supported) {
    throw new Conflict(
      `Port group ${group.uuid} doesn't support standalone ports. This port cannot be created as a member of that portgroup ` +
        "as the port's 'pxe_enabled' field was set to True.",
    )
  }
  if (group) checkNetwork({ store }, port, group)
  return port
}

/** @throws InvalidParameterValue */
export function portChange(parts: ApiParts, port: Port, fields: Json, { minor }: Asked): Partial<Port> {
  checkLinkVersion(fields.local_link_connection, minor)
  const change: Partial<Port> = { ...fields, node_uuid: nodeAfter(parts, port, fields.node_uuid).uuid }
  const after = { ...port, ...change }
  checkPort(after)
  const group = groupOf(parts, after)
  if (group && 'physical_network' in fields && minor >= 102) {
    throw new InvalidParameterValue('physical_network cannot be changed while the port belongs to a portgroup.')
  }
  if (group && ('physical_network' in fields || 'portgroup_uuid' in fields)) checkNetwork(parts, after, group)
  return change
}

type Member = Partial<Pick<Port, 'uuid' | 'node_uuid' | 'portgroup_uuid' | 'physical_network'>>

/** @throws InvalidParameterValue */
function groupOf({ store }: Pick<ApiParts, 'store'>, { portgroup_uuid, node_uuid }: Member): Portgroup | undefined {
  if (!portgroup_uuid) return undefined
  const group = store.portgroups.get(portgroup_uuid)
  if (!group) throw new InvalidParameterValue(`Portgroup ${portgroup_uuid} could not be found.`)
  if (group.node_uuid === node_uuid) return group
  throw new InvalidParameterValue('Port can not be added to a portgroup belonging to a different node.')
}

/** @throws Conflict  its members are in another network. @source Ironic conductor/utils.validate_port_physnet */
function checkNetwork({ store }: Pick<ApiParts, 'store'>, port: Member, group: Portgroup): void {
  const [other] = store.ports.where('portgroup_uuid', group.uuid).filter(({ uuid }) => uuid !== port.uuid)
  const its = other ? other.physical_network : group.physical_network
  const network = port.physical_network ?? null
  if (its === network || (!other && its === null)) return
  throw new Conflict(
    `Port with physical network ${network} cannot become a member of port group ${group.uuid} which has ports in ` +
      `physical network ${its}.`,
  )
}

/** A port group without a network is in that of its first port. */
export async function giveNetwork(
  { store: { portgroups } }: ApiParts,
  { portgroup_uuid, physical_network }: Port,
): Promise<undefined> {
  const group = portgroup_uuid === null ? undefined : portgroups.get(portgroup_uuid)
  if (group?.physical_network === null && physical_network !== null)
    await portgroups.update(group.uuid, { physical_network })
}

function checkPort(port: Json): void {
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
