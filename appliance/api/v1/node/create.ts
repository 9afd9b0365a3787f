/** POST /v1/nodes: from a body to a record. */
import { z } from 'zod'
import { checkDisksSet } from '../../../conductor/task/root-device.ts'
import { InvalidParameterValue } from '../../../errors.ts'
import type { Json } from '../../../plugin-api/index.ts'
import { INTERFACE_TYPES, type InterfaceType, type Node, newNode } from '../../../records/kinds/node.ts'
import { checkWritten, writableNames } from '../../fields.ts'
import type { ApiParts } from '../../parts.ts'
import { parse } from '../../schema.ts'
import { interfaceField, NODE_FIELDS } from './fields.ts'
import { checkName, linkedNode } from './names.ts'

const BODY = z.strictObject(
  Object.fromEntries(
    writableNames(NODE_FIELDS, 'create').map((name) => {
      const schema = NODE_FIELDS[name]?.write ?? z.never()
      return [name, name === 'driver' ? schema : schema.optional()]
    }),
  ),
  'expected an object',
)

/** @throws InvalidParameterValue, NotAcceptable, Conflict */
export async function createNode(parts: ApiParts, body: unknown, minor: number): Promise<Node> {
  const given: Json = parse(BODY, body, 'node')
  // Clients of old versions send empty fields of later ones.
  const filled = Object.keys(given).filter((name) => given[name] !== null && given[name] !== NODE_FIELDS[name]?.none)
  checkWritten(NODE_FIELDS, filled, minor)
  if (typeof given.name === 'string') checkName(given.name, minor, 'Cannot create node with invalid name')
  checkChassis(given.chassis_uuid)
  const wanted = wantedInterfaces(given)
  const plain = Object.entries(given).filter(([name, value]) => value !== null && !(name in INTERFACE_FIELDS))
  const fields = Object.fromEntries(plain) as Partial<Node> & Pick<Node, 'driver'>
  checkDisksSet(fields)
  const node = newNode({ ...fields, interfaces: parts.conductor.chooseInterfaces(fields.driver, wanted) })
  return parts.store.nodes.create({
    ...node,
    // @source Ironic initial_node_provision_state
    provision_state: minor < 11 ? 'available' : 'enroll',
    parent_node: node.parent_node === null ? null : linkedNode(parts, node.parent_node, 'parent_node').uuid,
  })
}

export const INTERFACE_FIELDS: Readonly<Record<string, InterfaceType>> = Object.fromEntries(
  INTERFACE_TYPES.map((type) => [interfaceField(type), type]),
)

export function wantedInterfaces(fields: Json): Partial<Record<InterfaceType, string>> {
  return Object.fromEntries(
    INTERFACE_TYPES.flatMap((type) => {
      const name = fields[interfaceField(type)]
      return typeof name === 'string' ? [[type, name] as const] : []
    }),
  )
}

/** @throws InvalidParameterValue  this appliance keeps no chassis */
export function checkChassis(chassis_uuid: unknown): void {
  if (chassis_uuid) throw new InvalidParameterValue(`Chassis ${chassis_uuid} could not be found.`)
}
