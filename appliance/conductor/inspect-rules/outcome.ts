/** What evaluated rules come to for the records of a node: done to a copy of them and checked. Writes none of them. */
import { ApplianceError, InvalidParameterValue } from '../../errors.ts'
import type { NodePath } from '../../plugin-api/bound-secrets.ts'
import type { Json } from '../../plugin-api/index.ts'
import type { InternalChange, InternalInfo } from '../../records/kinds/internal-info.ts'
import { INTERFACE_TYPES, type Node } from '../../records/kinds/node.ts'
import type { Port } from '../../records/kinds/port.ts'
import { boundSecrets, tableAndKey } from '../interfaces/bound-secrets.ts'
import { chooseInterfaces } from '../interfaces/choose.ts'
import { lostSecrets } from '../interfaces/lost-secrets.ts'
import type { Parts } from '../parts/parts.ts'
import { checkDisksSet } from '../task/root-device.ts'
import { Draft } from './draft.ts'
import type { Edit } from './effects.ts'
import type { Evaluated } from './evaluate.ts'
import { MASK } from './masked.ts'
import type { Afterwards } from './settable.ts'

export type Found = { inventory: Json; plugin_data: Json }
export type RuleOutcome = {
  /** Of the node, whole fields, checked. To be written before the inspection ends, failed or not. */
  node: Partial<Omit<Node, 'driver_internal_info'>>
  /** Of its driver_internal_info: which secrets went with an address that a rule has changed. */
  internal: InternalChange
  /** Of its ports, by uuid. */
  ports: ReadonlyMap<string, Partial<Port>>
  /** As the rules leave it. */
  plugin_data: Json
  /** A rule has set target_provision_state: what the node is asked for once it is manageable. */
  afterwards: Afterwards | null
  /** A rule says `fail`, or could not be applied. What was done before it counts. */
  failure: Error | null
}

export type RuleParts = Pick<Parts, 'store' | 'log' | 'hardware' | 'plugins' | 'config' | 'hostname'>

export type Evaluation = { node: Node; ports: readonly Port[]; found: Found; evaluated: Evaluated }

/** Never throws for what a rule does. */
export function outcomeOf(parts: RuleParts, { node, ports, found, evaluated }: Evaluation): RuleOutcome {
  const draft = new Draft(node, ports, found.plugin_data)
  const { failure } = evaluated
  let fault: Error | null = failure && new ApplianceError(failure.reason)
  try {
    for (const effect of evaluated.effects) draft.take(effect, parts)
  } catch (error) {
    fault = new ApplianceError(`Inspection rule action execution failed. Reason: ${(error as Error).message}`)
  }
  try {
    const change = nodeChange(parts, node, draft)
    return { ...change, ports: draft.portChanges, plugin_data: draft.plugin_data, failure: fault }
  } catch (error) {
    if (!(error instanceof InvalidParameterValue)) throw error
    return {
      node: {},
      internal: {},
      ports: draft.portChanges,
      plugin_data: draft.plugin_data,
      afterwards: null,
      failure: error,
    }
  }
}

/** @throws InvalidParameterValue  the fields fit, but not this node */
function nodeChange(
  parts: RuleParts,
  node: Node,
  { attributes, edits }: Draft,
): Pick<RuleOutcome, 'node' | 'internal' | 'afterwards'> {
  const given = Object.fromEntries(edits.map(({ path: [name = ''] }) => [name, attributes[name]]))
  const { target_provision_state = null, ...fields } = given
  const types = INTERFACE_TYPES.filter((type) => `${type}_interface` in fields)
  const plain = Object.fromEntries(Object.entries(fields).filter(([name]) => !name.endsWith('_interface')))
  const change: Partial<Node> = {
    ...plain,
    ...(types.length > 0 || 'driver' in fields ? chosen(parts, node, fields) : {}),
  }
  const taken = typeof change.name === 'string' ? parts.store.nodes.by('name', change.name) : undefined
  if (taken && taken.uuid !== node.uuid) {
    throw new InvalidParameterValue(`A node with name ${change.name} already exists.`)
  }
  checkDisksSet(change, node)
  const { driver_internal_info, ...lost } = lostSecrets(node, change, {
    bindings: boundSecrets(parts),
    isGivenAnew: (field) => isGivenAnew(edits, field),
  })
  const afterwards = target_provision_state as Afterwards | null
  return { node: { ...change, ...lost }, internal: movedBy(parts, node, driver_internal_info), afterwards }
}

function chosen(parts: RuleParts, node: Node, fields: Json): Partial<Node> {
  const asked = INTERFACE_TYPES.map((type) => [type, fields[`${type}_interface`] ?? node.interfaces[type]])
  const driver = typeof fields.driver === 'string' ? fields.driver : node.driver
  return { driver, interfaces: chooseInterfaces(parts, driver, Object.fromEntries(asked)) }
}

/** A rule's own words, or what a machine told: either is new. What was masked for the rule is not. */
function isGivenAnew(edits: readonly Edit[], field: NodePath): boolean {
  const [table, key] = tableAndKey(field)
  const last = edits.findLast(({ path }) => path[0] === table && (path.length === 1 || path[1] === key))
  if (last?.op !== 'set') return false
  const value = last.path.length === 1 ? (last.value as Json | null)?.[key] : last.value
  return value !== undefined && !JSON.stringify(value).includes(MASK)
}

/** What is written of it, where something is: undefined takes a key away. */
function movedBy(
  { log }: RuleParts,
  { uuid, driver_internal_info: before }: Node,
  after?: InternalInfo,
): InternalChange {
  if (!after) return {}
  const known = (before.lost_with_address ?? []).map(({ field }) => field)
  for (const { field, address } of after.lost_with_address ?? []) {
    if (!known.includes(field))
      log.warn('a secret went with the address that it was given for', { node: uuid, field, address })
  }
  return { lost_with_address: after.lost_with_address, bound_to: after.bound_to }
}
