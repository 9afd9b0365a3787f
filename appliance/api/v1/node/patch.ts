/** PATCH /v1/nodes/{node}: a JSON patch becomes a change of the record, whole or not at all. */
import { isDeepStrictEqual } from 'node:util'
import type { z } from 'zod'
import { checkDisksSet } from '../../../conductor/task/root-device.ts'
import { InvalidParameterValue } from '../../../errors.ts'
import type { Json } from '../../../plugin-api/index.ts'
import type { Node } from '../../../records/kinds/node.ts'
import { checkWritten, fieldValue, writableNames } from '../../fields.ts'
import { applyPatch, givenValues, type Patch, patchSchema, rootOf } from '../../json-patch.ts'
import type { ApiParts } from '../../parts.ts'
import { parse } from '../../schema.ts'
import { checkChassis, INTERFACE_FIELDS, wantedInterfaces } from './create.ts'
import { DESCRIPTION_LIMIT, NODE_FIELDS } from './fields.ts'
import { withSecretsKept } from './kept-secrets.ts'
import { checkName, findNode, linkedNode } from './names.ts'
import { checkChange, checkUpdatable } from './update-rules.ts'

const PATCHABLE = writableNames(NODE_FIELDS, 'patch')

export type NodePatch = { ident: string; minor: number; patch: Patch; reset_interfaces?: boolean }

/** @throws InvalidParameterValue, NotAcceptable  what no node could take */
export function readPatch(body: unknown, minor: number, reset_interfaces?: boolean): Patch {
  const patch = parse(patchSchema, body, 'patch')
  for (const operation of patch) {
    const root = rootOf(operation)
    if (root === 'traits' && operation.op !== 'remove') {
      throw new InvalidParameterValue(
        'Cannot update node traits via node patch. Node traits should be updated via the node traits API.',
      )
    }
    if (!PATCHABLE.includes(root)) {
      throw new InvalidParameterValue(
        `Cannot patch ${operation.path}. Only the following can be updated: ${PATCHABLE.join(', ')}`,
      )
    }
    if (operation.op !== 'remove') checkWritten(NODE_FIELDS, [root], minor)
  }
  if (reset_interfaces && givenValues(patch, '/driver').length === 0) {
    throw new InvalidParameterValue("The reset_interfaces parameter can only be used when changing the node's driver.")
  }
  const [description] = givenValues(patch, '/description')
  if (typeof description === 'string' && description.length > DESCRIPTION_LIMIT) {
    throw new InvalidParameterValue(`Cannot update node with description exceeding ${DESCRIPTION_LIMIT} characters`)
  }
  return patch
}

/** @returns the node as it is afterwards. @throws NotFound, Conflict, NodeLocked, InvalidParameterValue */
export async function patchNode(parts: ApiParts, given: NodePatch): Promise<Node> {
  const node = findNode(parts, given.ident, given.minor)
  planChange(parts, node, given)
  await parts.conductor.withNode(node.uuid, 'node update', () =>
    parts.store.nodes.update(node.uuid, (current) => planChange(parts, current, given)),
  )
  return parts.store.nodes.find(node.uuid)
}

function planChange(parts: ApiParts, node: Node, { ident, minor, patch, reset_interfaces }: NodePatch): Partial<Node> {
  if (!freesInstance(node, patch)) checkUpdatable(node, ident, minor)
  for (const name of givenValues(patch, '/name')) {
    if (typeof name === 'string') checkName(name, minor, `Node ${ident}: Cannot change name to invalid name`)
  }
  const before: Json = Object.fromEntries(PATCHABLE.map((name) => [name, fieldValue(NODE_FIELDS, node, name)]))
  const fields = changedFields(before, applyPatch(before, patch))
  if (fields.chassis_uuid !== undefined) checkChassis(fields.chassis_uuid)
  if (typeof fields.parent_node === 'string') {
    fields.parent_node = linkedNode(parts, fields.parent_node, 'parent_node').uuid
  }
  const plain = Object.entries(fields).filter(([name]) => !(name in INTERFACE_FIELDS))
  const change: Partial<Node> = {
    ...(Object.fromEntries(plain) as Partial<Node>),
    ...interfacesChange(parts, node, { fields, reset: reset_interfaces === true }),
  }
  checkDisksSet(change, node)
  return { ...change, ...checkChange(node, change) }
}

/** Only what is another value than before, checked and in its one spelling. */
function changedFields(before: Json, after: Json): Json {
  const changed: Json = {}
  for (const name of PATCHABLE) {
    if (isDeepStrictEqual(before[name], after[name])) continue
    const { write, none = null } = NODE_FIELDS[name] ?? {}
    if (!write) continue
    const value = after[name] === null && name !== 'driver' ? none : after[name]
    const checked = parse(write as z.ZodType, value, `patch of ${name}`)
    const kept = withSecretsKept(name, before[name], checked)
    if (!isDeepStrictEqual(before[name], kept)) changed[name] = kept
  }
  return changed
}

/** Interfaces that the patch does not name stay, unless the driver changes and they are to be reset. */
function interfacesChange(
  { conductor }: Pick<ApiParts, 'conductor'>,
  node: Node,
  { fields, reset }: { fields: Json; reset: boolean },
): Partial<Node> {
  const removed = Object.keys(fields).filter((name) => name in INTERFACE_FIELDS && fields[name] === null)
  const asked = wantedInterfaces(fields)
  const driver = typeof fields.driver === 'string' ? fields.driver : node.driver
  if (driver === node.driver && Object.keys(asked).length === 0 && removed.length === 0) return {}
  const kept = reset
    ? {}
    : Object.fromEntries(
        Object.entries(node.interfaces).filter(([type]) => !removed.some((name) => INTERFACE_FIELDS[name] === type)),
      )
  return { interfaces: conductor.chooseInterfaces(driver, { ...kept, ...asked }) }
}

/** In maintenance a lone removal of instance_uuid is let through in any state. @source Ironic NodesController.patch */
function freesInstance(node: Node, patch: Patch): boolean {
  const [only, ...others] = patch
  return node.maintenance && others.length === 0 && only?.op === 'remove' && only.path === '/instance_uuid'
}
