/** PATCH /v1/nodes/{node}: a JSON patch becomes a change of the record, whole or not at all. */
import { isDeepStrictEqual } from 'node:util'
import { type Lost, lostSecrets } from '../../../conductor/interfaces/lost-secrets.ts'
import { checkDisksSet } from '../../../conductor/task/root-device.ts'
import { Conflict, InvalidParameterValue } from '../../../errors.ts'
import type { Json } from '../../../plugin-api/index.ts'
import type { Node } from '../../../records/kinds/node.ts'
import { givenValues, type Patch } from '../../json-patch.ts'
import { requireMinor } from '../../microversions.ts'
import type { ApiParts } from '../../parts.ts'
import type { Resource } from '../../resource.ts'
import { flag } from '../../schema.ts'
import { INTERFACE_FIELDS, parentOf, wantedInterfaces } from './create.ts'
import { DESCRIPTION_LIMIT } from './fields.ts'
import { isGivenAnew, mayMoveSecrets } from './given-secrets.ts'
import { checkName } from './names.ts'
import { checkChange, checkUpdatable } from './update-rules.ts'

type NodePatch = NonNullable<Resource<Node>['patch']>

/** What a patch of a node is checked for, and what becomes of it. */
export const nodePatch = (parts: ApiParts): NodePatch => ({
  query: { reset_interfaces: { schema: flag, since: 45 } },
  removesUnserved: true,
  check(patch, { query }) {
    if (query.reset_interfaces && givenValues(patch, '/driver').length === 0) {
      throw new InvalidParameterValue(
        "The reset_interfaces parameter can only be used when changing the node's driver.",
      )
    }
    const [description] = givenValues(patch, '/description')
    if (typeof description === 'string' && description.length > DESCRIPTION_LIMIT) {
      throw new InvalidParameterValue(`Cannot update node with description exceeding ${DESCRIPTION_LIMIT} characters`)
    }
  },
  checkRecord(node, patch, { ident, minor }) {
    if (!freesInstance(node, patch)) checkUpdatable(node, ident, minor)
    checkOwner(parts, node, patch)
    for (const name of givenValues(patch, '/name')) {
      if (typeof name === 'string') checkName(name, minor, `Node ${ident}: Cannot change name to invalid name`)
    }
  },
  change(node, fields, { query, caller, minor }, patch) {
    // @source Ironic allow_remove_chassis_uuid
    if (fields.chassis_uuid === null) requireMinor(minor, 25)
    const change = changeOf(parts, node, { fields, reset: query.reset_interfaces === true })
    const bindings = mayMoveSecrets(caller) ? [] : parts.conductor.boundSecrets()
    return { ...change, ...lostSecrets(node, change, { bindings, isGivenAnew: (field) => isGivenAnew(patch, field) }) }
  },
  async changed(before, after) {
    tellLost(parts, before, after)
    const { allocation_uuid } = before
    if (allocation_uuid === null || after.allocation_uuid !== null) return
    if (parts.store.allocations.get(allocation_uuid)) await parts.store.allocations.delete(allocation_uuid)
  },
})

function tellLost({ log }: ApiParts, { driver_internal_info: before }: Node, after: Node): void {
  const known = before.lost_with_address ?? []
  const isNew = (one: Lost[number]) => !known.some((other) => isDeepStrictEqual(one, other))
  for (const { field, address } of (after.driver_internal_info.lost_with_address ?? []).filter(isNew)) {
    log.warn('a secret went with the address that it was given for', { node: after.uuid, field, address })
  }
}

/** @throws Conflict. @source Ironic NodesController.patch */
function checkOwner({ store }: ApiParts, { uuid, allocation_uuid }: Node, patch: Patch): void {
  if (allocation_uuid === null || givenValues(patch, '/owner').length === 0) return
  if ((store.allocations.get(allocation_uuid)?.owner ?? null) === null) return
  throw new Conflict(`Cannot update owner of node "${uuid}" while it is allocated to an allocation with an owner.`)
}

function changeOf(parts: ApiParts, node: Node, { fields, reset }: Fields): Partial<Node> {
  const linked =
    typeof fields.parent_node === 'string'
      ? { parent_node: parentOf(parts, fields.parent_node, { ...node, ...fields }).uuid }
      : {}
  const plain = Object.entries(fields).filter(([name]) => !(name in INTERFACE_FIELDS))
  const change: Partial<Node> = {
    ...(Object.fromEntries(plain) as Partial<Node>),
    ...linked,
    ...interfacesChange(parts, node, { fields, reset }),
    ...(fields.deploy_interface !== undefined || reset ? choiceDropped(node) : {}),
  }
  checkDisksSet(change, node)
  return { ...change, ...checkChange(node, change) }
}

/** What a person says of deploy_interface is not switched back later. @source Ironic conductor/manager.update_node */
function choiceDropped({ driver_internal_info }: Node): Partial<Node> {
  const { original_deploy_interface, ...rest } = driver_internal_info
  return original_deploy_interface === undefined ? {} : { driver_internal_info: rest }
}

type Fields = { fields: Json; reset: boolean }

/** Interfaces that the patch does not name stay, unless the driver changes and they are to be reset. */
function interfacesChange(
  { conductor }: Pick<ApiParts, 'conductor'>,
  node: Node,
  { fields, reset }: Fields,
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
