/**
 * The names that a procedure has in the record and on the wire, all made of its kind; and which procedure a node is in.
 * Runs nothing.
 */
import type { Json, ProcedureKind } from '../../plugin-api/index.ts'
import { type InternalChange, PROCEDURE_KINDS, type ProcedureInfo } from '../../records/kinds/internal-info.ts'
import type { Node } from '../../records/kinds/node.ts'
import { type Phase, phaseOf } from '../states/state-machine.ts'

const PAST = {
  deploy: 'deployed',
  clean: 'cleaned',
  service: 'serviced',
  inspect: 'inspected',
  rescue: 'rescued',
  verify: 'verified',
} as const satisfies Record<ProcedureKind, string>

/** @source Ironic conductor/steps.py, conductor/servicing.py; ironic-python-agent extensions deploy, clean, service */
export const namesOf = (kind: ProcedureKind) => ({
  kind,
  /** As in `it is being deployed`. */
  past: PAST[kind],
  /** In driver_internal_info, by what they are in ProcedureInfo. */
  keys: {
    plan: `${kind}_steps`,
    index: `${kind}_step_index`,
    started_at: `${kind}_step_started_at`,
    user: `user_${kind}_steps`,
    kept: `${kind}_kept`,
    cleanup_pending: `${kind}_cleanup_pending`,
    offered: `agent_cached_${kind}_steps`,
  } as const,
  /** Commands to the agent, and the members of their parameters and results. */
  agent: {
    list: `${kind}.get_${kind}_steps`,
    listed: `${kind}_steps`,
    execute: `${kind}.execute_${kind}_step`,
    version: `${kind}_version`,
  } as const,
})
export type ProcedureNames = ReturnType<typeof namesOf>

/** What of a procedure is in the node's driver_internal_info. */
export const internalOf = <F extends keyof ProcedureInfo>(
  { driver_internal_info }: Pick<Node, 'driver_internal_info'>,
  kind: ProcedureKind,
  field: F,
) => driver_internal_info[namesOf(kind).keys[field]] as ProcedureInfo[F] | undefined

/** The change of driver_internal_info that writes it; undefined removes. */
export const internalChange = (
  kind: ProcedureKind,
  change: { [F in keyof ProcedureInfo]?: ProcedureInfo[F] | undefined },
): InternalChange => {
  const { keys } = namesOf(kind)
  return Object.fromEntries(Object.entries(change).map(([field, value]) => [keys[field as keyof ProcedureInfo], value]))
}

const inPhases = ({ provision_state }: Pick<Node, 'provision_state'>, phases: readonly Phase[]) => {
  const [kind, phase] = phaseOf(provision_state) ?? []
  return kind && phase && phases.includes(phase) ? namesOf(kind) : undefined
}

/** The procedure that the node is in: running, waiting or held. */
export const underWay = (node: Pick<Node, 'provision_state'>): ProcedureNames | undefined =>
  inPhases(node, ['running', 'waiting', 'held'])

/** The procedure under way, or the one that failed; deploy for a node in a stable state. */
export const lastProcedure = (node: Pick<Node, 'provision_state'>): ProcedureNames =>
  inPhases(node, ['running', 'waiting', 'held', 'failed']) ?? namesOf('deploy')

/** @throws Error  the node is in no procedure: a fault of ours */
export function procedureOf(node: Pick<Node, 'uuid' | 'provision_state'>): ProcedureNames {
  const found = underWay(node)
  if (found) return found
  throw new Error(`node ${node.uuid} is "${node.provision_state}", and goes through no steps`)
}

/** The node is in a procedure, or the end of one is not done yet: what belongs to the procedure stays. */
export const hasProcedure = (node: Node): boolean =>
  underWay(node) !== undefined ||
  node.provision_state === 'deleting' ||
  PROCEDURE_KINDS.some((kind) => internalOf(node, kind, 'cleanup_pending'))

export const isWaiting = ({ provision_state }: Pick<Node, 'provision_state'>): boolean =>
  phaseOf(provision_state)?.[1] === 'waiting'
export const isHeld = ({ provision_state }: Pick<Node, 'provision_state'>): boolean =>
  phaseOf(provision_state)?.[1] === 'held'
export const isRunning = ({ provision_state }: Pick<Node, 'provision_state'>): boolean =>
  phaseOf(provision_state)?.[1] === 'running'

/** What a procedure leaves in driver_internal_info, to be removed with its end. The agent's steps go with the agent. */
export const leftovers = (kind: ProcedureKind, ...more: readonly (keyof InternalChange)[]): InternalChange => {
  const { plan, index, started_at, user, kept, cleanup_pending } = namesOf(kind).keys
  const names = [plan, index, started_at, user, kept, cleanup_pending]
  return cleared(...names, 'agent_command_id', ...more)
}

/** A change that removes keys. */
export const cleared = (...names: readonly (keyof InternalChange)[]): InternalChange =>
  Object.fromEntries(names.map((name) => [name, undefined]))

/** The node's field that shows the step under way. */
export const stepOf = (node: Node): Json => {
  const kind = underWay(node)?.kind
  return (kind && hasField(kind) && node[`${kind}_step`]) || {}
}
/** The change of a node that shows `step`; {} shows none. */
export const stepShown = (kind: ProcedureKind, step: Json): Partial<Node> =>
  hasField(kind) ? { [`${kind}_step`]: step } : {}

/** Ironic shows the steps of these alone. */
const hasField = (kind: ProcedureKind): kind is 'deploy' | 'clean' | 'service' =>
  kind === 'deploy' || kind === 'clean' || kind === 'service'
