/**
 * The provision state machine: one table of states, verbs and events, exactly Ironic's. Changes nothing itself (see
 * node-handle.ts).
 */

import { InvalidStateRequested } from '../../errors.ts'
import type { ProcedureKind } from '../../plugin-api/index.ts'
import type { Node, ProvisionState } from '../../records/kinds/node.ts'

/** What a user asks for, as in PUT states/provision; `active` and `deploy` are one, so are `deleted` and `undeploy`. */
export const VERBS = {
  active: 'deploy',
  deploy: 'deploy',
  rebuild: 'rebuild',
  deleted: 'delete',
  undeploy: 'delete',
  manage: 'manage',
  provide: 'provide',
  inspect: 'inspect',
  abort: 'abort',
  clean: 'clean',
  adopt: 'adopt',
  rescue: 'rescue',
  unrescue: 'unrescue',
  unhold: 'unhold',
  service: 'service',
} as const
export type Verb = (typeof VERBS)[keyof typeof VERBS]
/** What the conductor itself reports. */
export type Event = 'done' | 'fail' | 'wait' | 'hold' | 'resume' | 'clean' | 'manage'

/**
 * `running`: the node is reserved, and a step runs. `waiting`: nobody has reserved it. `held`: an operator has the next
 * word.
 */
export type Phase = 'running' | 'waiting' | 'held' | 'failed'

type Next<K extends string> = Readonly<Partial<Record<K, ProvisionState>>>
type Entry = {
  /** What target_provision_state is while the node is in this state; a stable state has none. */
  target: ProvisionState | null
  verbs: Next<Verb>
  events?: Next<Event>
  /** The procedure that the node is in, and how far. */
  in?: readonly [ProcedureKind, Phase]
}

/** @source Ironic common/states.py and common/state_machine.py (CONTRIBUTING.md, States) */
export const STATES = {
  enroll: { target: null, verbs: { manage: 'verifying' } },
  verifying: {
    in: ['verify', 'running'],
    target: 'manageable',
    verbs: {},
    events: { done: 'manageable', fail: 'enroll' },
  },
  manageable: {
    target: null,
    verbs: { provide: 'cleaning', clean: 'cleaning', inspect: 'inspecting', adopt: 'adopting' },
  },
  available: { target: null, verbs: { deploy: 'deploying', manage: 'manageable' } },
  active: {
    target: null,
    verbs: { rebuild: 'deploying', delete: 'deleting', rescue: 'rescuing', service: 'servicing' },
  },
  error: { target: null, verbs: { rebuild: 'deploying', delete: 'deleting' } },
  rescue: { target: null, verbs: { rescue: 'rescuing', unrescue: 'unrescuing', delete: 'deleting' } },

  deploying: {
    in: ['deploy', 'running'],
    target: 'active',
    verbs: {},
    events: { done: 'active', fail: 'deploy failed', wait: 'wait call-back', hold: 'deploy hold' },
  },
  'wait call-back': {
    in: ['deploy', 'waiting'],
    target: 'active',
    verbs: { delete: 'deleting', abort: 'deploy failed' },
    events: { resume: 'deploying', fail: 'deploy failed', hold: 'deploy hold' },
  },
  'deploy hold': {
    in: ['deploy', 'held'],
    target: 'active',
    verbs: { unhold: 'wait call-back', abort: 'deploy failed' },
  },
  'deploy failed': {
    in: ['deploy', 'failed'],
    target: 'active',
    verbs: { deploy: 'deploying', rebuild: 'deploying', delete: 'deleting' },
  },
  deleting: { target: 'available', verbs: {}, events: { clean: 'cleaning', fail: 'error' } },

  cleaning: {
    in: ['clean', 'running'],
    target: 'available',
    verbs: {},
    events: { done: 'available', manage: 'manageable', fail: 'clean failed', wait: 'clean wait', hold: 'clean hold' },
  },
  'clean wait': {
    in: ['clean', 'waiting'],
    target: 'available',
    verbs: { abort: 'clean failed' },
    events: { resume: 'cleaning', fail: 'clean failed', hold: 'clean hold' },
  },
  'clean hold': { in: ['clean', 'held'], target: 'available', verbs: { unhold: 'clean wait', abort: 'clean failed' } },
  'clean failed': { in: ['clean', 'failed'], target: 'available', verbs: { manage: 'manageable' } },

  inspecting: {
    in: ['inspect', 'running'],
    target: 'manageable',
    verbs: {},
    events: { done: 'manageable', fail: 'inspect failed', wait: 'inspect wait' },
  },
  'inspect wait': {
    in: ['inspect', 'waiting'],
    target: 'manageable',
    verbs: { abort: 'inspect failed' },
    events: { done: 'manageable', fail: 'inspect failed', resume: 'inspecting' },
  },
  'inspect failed': {
    in: ['inspect', 'failed'],
    target: 'manageable',
    verbs: { inspect: 'inspecting', manage: 'manageable' },
  },

  adopting: { target: 'active', verbs: {}, events: { done: 'active', fail: 'adopt failed' } },
  'adopt failed': { target: 'active', verbs: { adopt: 'adopting', manage: 'manageable' } },

  rescuing: {
    in: ['rescue', 'running'],
    target: 'rescue',
    verbs: {},
    events: { done: 'rescue', fail: 'rescue failed', wait: 'rescue wait' },
  },
  'rescue wait': {
    in: ['rescue', 'waiting'],
    target: 'rescue',
    verbs: { abort: 'rescue failed', delete: 'deleting' },
    events: { resume: 'rescuing', fail: 'rescue failed' },
  },
  'rescue failed': {
    in: ['rescue', 'failed'],
    target: 'rescue',
    verbs: { rescue: 'rescuing', unrescue: 'unrescuing', delete: 'deleting' },
  },
  unrescuing: { target: 'active', verbs: {}, events: { done: 'active', fail: 'unrescue failed' } },
  'unrescue failed': { target: 'active', verbs: { rescue: 'rescuing', unrescue: 'unrescuing', delete: 'deleting' } },

  servicing: {
    in: ['service', 'running'],
    target: 'active',
    verbs: {},
    events: { done: 'active', fail: 'service failed', wait: 'service wait', hold: 'service hold' },
  },
  'service wait': {
    in: ['service', 'waiting'],
    target: 'active',
    verbs: { abort: 'service failed', delete: 'deleting' },
    events: { resume: 'servicing', fail: 'service failed', hold: 'service hold' },
  },
  'service hold': {
    in: ['service', 'held'],
    target: 'active',
    verbs: { unhold: 'service wait', abort: 'service failed', service: 'servicing' },
    events: { fail: 'service failed' },
  },
  'service failed': {
    in: ['service', 'failed'],
    target: 'active',
    verbs: { service: 'servicing', rescue: 'rescuing', delete: 'deleting', abort: 'active' },
    events: { wait: 'service wait', hold: 'service hold' },
  },
} as const satisfies Record<ProvisionState, Entry>

const entryOf = (state: ProvisionState): Entry => STATES[state]

/**
 * The verb that a request's target stands for.
 * @throws InvalidStateRequested  unknown, or not allowed in the node's state
 */
export function verbFor(node: Node, requested: string): Verb {
  const verb = Object.hasOwn(VERBS, requested) ? VERBS[requested as keyof typeof VERBS] : undefined
  if (verb && entryOf(node.provision_state).verbs[verb]) return verb
  throw new InvalidStateRequested(
    `The requested action "${requested}" can not be performed on node "${node.uuid}" while it is in state "${node.provision_state}".`,
  )
}

/** Where a verb or an event leads. @throws Error  the table leads nowhere from there: a fault of ours */
export function stateAfter(state: ProvisionState, by: Verb | Event): ProvisionState {
  const { verbs, events } = entryOf(state)
  const next = verbs[by as Verb] ?? events?.[by as Event]
  if (!next) throw new Error(`nothing leads from state "${state}" by "${by}"`)
  return next
}

/** The procedure that a state belongs to, and how far a node in it is. */
export const phaseOf = (state: ProvisionState): Entry['in'] => entryOf(state).in

/**
 * A cleaning that was asked for ends where it began, whatever the table says of its states.
 * @source Ironic target_state=MANAGEABLE
 */
export const isManualCleaning = (node: Pick<Node, 'provision_state' | 'target_provision_state'>): boolean =>
  entryOf(node.provision_state).in?.[0] === 'clean' && node.target_provision_state === 'manageable'

/** What target_provision_state is after a verb or an event that leads to `to`. */
export function targetAfter(
  before: Pick<Node, 'provision_state' | 'target_provision_state'>,
  by: Verb | Event,
  to: ProvisionState,
): ProvisionState | null {
  const begins = before.provision_state === 'manageable' && by === 'clean'
  return entryOf(to).in?.[0] === 'clean' && (begins || isManualCleaning(before)) ? 'manageable' : entryOf(to).target
}
