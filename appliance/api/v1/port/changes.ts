/** Ports created, patched and deleted: what is checked, and when the node lets it happen. */
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { Conflict, InvalidParameterValue, MissingParameterValue } from '../../../errors.ts'
import type { Json } from '../../../plugin-api/index.ts'
import type { Node, ProvisionState } from '../../../records/kinds/node.ts'
import { newPort, type Port } from '../../../records/kinds/port.ts'
import { checkWritten, fieldValue, writableNames } from '../../fields.ts'
import { applyPatch, type Patch, patchSchema, rootOf } from '../../json-patch.ts'
import { requireMinor } from '../../microversions.ts'
import type { ApiParts } from '../../parts.ts'
import { parse, text } from '../../schema.ts'
import { linkedNode } from '../node/names.ts'
import { PORT_FIELDS } from './fields.ts'

const CREATE_BODY = z.strictObject(
  {
    ...Object.fromEntries(
      writableNames(PORT_FIELDS, 'create').map((name) => {
        const schema = PORT_FIELDS[name]?.write ?? z.never()
        return [name, name === 'address' ? schema : schema.optional()]
      }),
    ),
    /** Uuid or name, instead of node_uuid. */
    node_ident: text.optional(),
  },
  'expected an object',
)
const PATCHABLE = writableNames(PORT_FIELDS, 'patch')
/** What a change of needs a node that is not in use. @source Ironic conductor/manager.update_port */
const CONNECTIVITY: readonly (keyof Port)[] = [
  'portgroup_uuid',
  'pxe_enabled',
  'local_link_connection',
  'physical_network',
]
const CONNECTIVITY_STATES: readonly ProvisionState[] = ['enroll', 'inspecting', 'inspect wait', 'manageable']

/** @throws InvalidParameterValue, MissingParameterValue, NotAcceptable, Conflict */
export async function createPort({ store }: ApiParts, body: unknown, minor: number): Promise<Port> {
  const { node_ident, ...given }: Json = parse(CREATE_BODY, body, 'port')
  if (node_ident !== undefined) requireMinor(minor, 94)
  checkWritten(PORT_FIELDS, Object.keys(given), minor)
  const ident = node_ident ?? given.node_uuid
  if (typeof ident !== 'string')
    throw new MissingParameterValue("Schema error for port: 'node_uuid' is a required property")
  if (node_ident !== undefined && given.node_uuid !== undefined) {
    throw new InvalidParameterValue(
      'Schema error for port: node_ident and node_uuid are two names for one thing, give one.',
    )
  }
  const node = nodeForPort(store, ident)
  checkPort(given)
  const fields = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null)) as Partial<Port>
  return store.ports.create(newPort({ ...fields, address: String(given.address), node_uuid: node.uuid }))
}

/** @throws InvalidParameterValue  404 would mean the port */
function nodeForPort(store: ApiParts['store'], ident: string): Node {
  const node = store.nodes.get(ident) ?? store.nodes.by('name', ident)
  if (!node) throw new InvalidParameterValue(`Node ${ident.slice(0, 255)} could not be found.`)
  return node
}

function checkPort(port: Json): void {
  if (port.portgroup_uuid) throw new InvalidParameterValue(`Portgroup ${port.portgroup_uuid} could not be found.`)
  const { port_id, hostname } = (port.local_link_connection ?? {}) as Json
  if (port.is_smartnic === true && !(port_id && hostname)) {
    throw new InvalidParameterValue('Smart NIC port must have port_id and hostname in local_link_connection')
  }
}

/** @throws InvalidParameterValue, NotAcceptable  what no port could take */
export function readPortPatch(body: unknown, minor: number): Patch {
  const patch = parse(patchSchema, body, 'patch')
  for (const operation of patch) {
    const root = rootOf(operation)
    if (!PATCHABLE.includes(root)) {
      throw new InvalidParameterValue(
        `Cannot patch ${operation.path}. Only the following can be updated: ${PATCHABLE.join(', ')}`,
      )
    }
    checkWritten(PORT_FIELDS, [root], minor)
  }
  return patch
}

/** @returns the port as it is afterwards. @throws NodeLocked, Conflict, InvalidParameterValue */
export async function patchPort(parts: ApiParts, port: Port, given: { patch: Patch; minor: number }): Promise<Port> {
  const { store, conductor } = parts
  await conductor.withNode(port.node_uuid, 'port update', async (node) => {
    if (node.provision_state === 'inspecting' && given.minor >= 39) {
      throw new Conflict(`Cannot update port "${port.uuid}" on "${node.uuid}" while it is in state "inspecting".`)
    }
    return store.ports.update(port.uuid, (current) => {
      const change = changeOf(parts, current, given.patch)
      checkNodeAllows(node, current, change)
      return change
    })
  })
  return store.ports.get(port.uuid) ?? port
}

function changeOf(parts: ApiParts, port: Port, patch: Patch): Partial<Port> {
  const before: Json = Object.fromEntries(PATCHABLE.map((name) => [name, fieldValue(PORT_FIELDS, port, name)]))
  const after = applyPatch(before, patch)
  const change: Json = {}
  for (const name of PATCHABLE) {
    if (isDeepStrictEqual(before[name], after[name])) continue
    const { write = z.never(), none = null } = PORT_FIELDS[name] ?? {}
    const value = parse(write, after[name] ?? none, `patch of ${name}`)
    if (!isDeepStrictEqual(before[name], value)) change[name] = value
  }
  if (typeof change.node_uuid === 'string') change.node_uuid = linkedNode(parts, change.node_uuid, 'node_uuid').uuid
  checkPort({ ...port, ...change })
  return change
}

function checkNodeAllows(node: Node, port: Port, change: Partial<Port>): void {
  if (node.maintenance) return
  if (change.address !== undefined && (node.provision_state === 'active' || node.instance_uuid)) {
    throw new Conflict(
      `Cannot update hardware address for port ${port.uuid} as node ${node.uuid} is active or has instance UUID assigned`,
    )
  }
  if (CONNECTIVITY.some((name) => name in change) && !CONNECTIVITY_STATES.includes(node.provision_state)) {
    throw new Conflict(
      `Port ${port.uuid} can not have any connectivity attributes (${CONNECTIVITY.join(', ')}) updated unless node ${node.uuid} ` +
        `is in a ${CONNECTIVITY_STATES.join(', ')} state or in maintenance mode. The current state is ${node.provision_state}.`,
    )
  }
}

/** @throws NodeLocked */
export async function deletePort({ store, conductor }: ApiParts, port: Port): Promise<void> {
  await conductor.withNode(port.node_uuid, 'port deletion', () => store.ports.delete(port.uuid))
}
