/** POST /v1/nodes: from what was given to a record. */
import { checkDisksSet } from '../../../conductor/task/root-device.ts'
import { InvalidParameterValue } from '../../../errors.ts'
import type { Json } from '../../../plugin-api/index.ts'
import { INTERFACE_TYPES, type InterfaceType, type Node } from '../../../records/kinds/node.ts'
import type { ApiParts } from '../../parts.ts'
import type { Asked } from '../../resource.ts'
import { interfaceField } from './fields.ts'
import { checkName, linkedNode } from './names.ts'

/** @throws InvalidParameterValue, NotAcceptable */
export function draftNode(parts: ApiParts, given: Json, { minor }: Asked): Partial<Node> {
  if (typeof given.name === 'string') checkName(given.name, minor, 'Cannot create node with invalid name')
  const wanted = wantedInterfaces(given)
  const plain = Object.entries(given).filter(([name]) => !(name in INTERFACE_FIELDS))
  const fields = Object.fromEntries(plain) as Partial<Node> & Pick<Node, 'driver'>
  checkDisksSet(fields)
  const interfaces = parts.conductor.chooseInterfaces(fields.driver, wanted)
  const parent = fields.parent_node ? parentOf(parts, fields.parent_node, fields).uuid : null
  // @source Ironic initial_node_provision_state
  return { ...fields, interfaces, provision_state: minor < 11 ? 'available' : 'enroll', parent_node: parent }
}

/** @throws InvalidParameterValue */
export function parentOf(parts: ApiParts, ident: string, { uuid, owner = null }: Partial<Node>): Node {
  const parent = linkedNode(parts, ident, { field: 'parent_node', owner })
  if (parent.uuid !== uuid) return parent
  throw new InvalidParameterValue(
    `Unable to apply the requested parent_node '${ident.slice(0, 60)}'. Requested value was invalid: a node is not its own parent.`,
  )
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
