/** What steps can be run for: a deploy or a cleaning. The words of each, on the wire and in the record; what each does is in its own folder. */
import type { Node, ProvisionState } from '../../records/kinds/node.ts'

export type StepKind = 'deploy' | 'clean'
export type Procedure = {
  kind: StepKind
  /** `running`: the node is held, and a step runs. `waiting`: nobody holds it. */
  states: { running: ProvisionState; waiting: ProvisionState; failed: ProvisionState }
  /** The node's field that shows the step. */
  field: `${StepKind}_step`
  /** What of it is in driver_internal_info, by name. */
  keys: {
    plan: `${StepKind}_steps`
    index: `${StepKind}_step_index`
    started_at: `${StepKind}_step_started_at`
    user: `user_${StepKind}_steps`
    kept: `${StepKind}_kept`
    /** It has failed, and its machine may still be on. */
    cleanup_pending: `${StepKind}_cleanup_pending`
    /** What the agent offers. */
    offered: `agent_cached_${StepKind}_steps`
  }
  /** What the agent is told. @source ironic-python-agent extensions deploy, clean */
  agent: { list: string; listed: `${StepKind}_steps`; execute: string; version: `${StepKind}_version` }
  /** Of [conductor]: the longest wait, in seconds; 0 waits for ever. */
  timeout: `${StepKind}_callback_timeout`
  /** As sentences to an operator have it. */
  words: { step: string; past: string; again: string }
}

const procedure = (kind: StepKind, more: Pick<Procedure, 'states' | 'words'>): Procedure => ({
  kind,
  field: `${kind}_step`,
  keys: {
    plan: `${kind}_steps`,
    index: `${kind}_step_index`,
    started_at: `${kind}_step_started_at`,
    user: `user_${kind}_steps`,
    kept: `${kind}_kept`,
    cleanup_pending: `${kind}_cleanup_pending`,
    offered: `agent_cached_${kind}_steps`,
  },
  agent: {
    list: `${kind}.get_${kind}_steps`,
    listed: `${kind}_steps`,
    execute: `${kind}.execute_${kind}_step`,
    version: `${kind}_version`,
  },
  timeout: `${kind}_callback_timeout`,
  ...more,
})

export const DEPLOY = procedure('deploy', {
  states: { running: 'deploying', waiting: 'wait call-back', failed: 'deploy failed' },
  words: { step: 'Deploy step', past: 'deployed', again: 'Deploy again.' },
})
export const CLEAN = procedure('clean', {
  states: { running: 'cleaning', waiting: 'clean wait', failed: 'clean failed' },
  words: { step: 'Clean step', past: 'cleaned', again: 'Clean again.' },
})

/** What the node goes through now. */
export function underWay({ provision_state }: Pick<Node, 'provision_state'>): Procedure | undefined {
  return [DEPLOY, CLEAN].find(({ states }) => states.running === provision_state || states.waiting === provision_state)
}

/** The same, or what it went through and failed in; a deploy for all that stands still. */
export const lastProcedure = ({ provision_state }: Pick<Node, 'provision_state'>): Procedure =>
  Object.values(CLEAN.states).includes(provision_state) ? CLEAN : DEPLOY

/** @throws Error  it goes through nothing: a fault of ours */
export function procedureOf(node: Pick<Node, 'uuid' | 'provision_state'>): Procedure {
  const found = underWay(node)
  if (found) return found
  throw new Error(`node ${node.uuid} is "${node.provision_state}", and goes through no steps`)
}

/** It goes through something, or the end of that is not over: what belongs to it stays. */
export const hasProcedure = (node: Node): boolean =>
  underWay(node) !== undefined ||
  node.provision_state === 'deleting' ||
  [DEPLOY, CLEAN].some(({ keys }) => node.driver_internal_info[keys.cleanup_pending] === true)

export const isWaiting = (node: Node): boolean => underWay(node)?.states.waiting === node.provision_state

/** What of a procedure is in driver_internal_info, and gone with its end. The agent's steps go with the agent. */
export const tracesOf = ({ keys }: Procedure) => ({
  [keys.plan]: undefined,
  [keys.index]: undefined,
  [keys.started_at]: undefined,
  [keys.user]: undefined,
  [keys.kept]: undefined,
  [keys.cleanup_pending]: undefined,
  agent_command_id: undefined,
})
