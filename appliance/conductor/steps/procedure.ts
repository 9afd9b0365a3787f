/**
 * A row of the list of procedures: a kind of steps run on a machine, from wait to wait. The engine beside it does for all of them what
 * they have in common: plan, run, wait, resume, time out, fail, abort, go on after a restart.
 */
import type { Config } from '../../config/options.ts'
import { DeployFailure } from '../../errors.ts'
import type { DeployPlugin, ProcedureKind, Step, StepResult, Task } from '../../plugin-api/index.ts'
import type { Node } from '../../records/kinds/node.ts'
import type { Parts } from '../parts/parts.ts'
import type { PlanRules } from '../procedures/plan.ts'
import type { ProvisionRequest } from '../procedures/request.ts'
import type { NodeChange, NodeHandle } from '../states/node-handle.ts'
import type { Verb } from '../states/state-machine.ts'
import type { TaskParts } from '../task/task.ts'

/** No step's fault: the node's last_error as it stands. */
export class ProcedureFailure extends DeployFailure {}

/** What a procedure works with. */
export type ProcedureParts = TaskParts & Pick<Parts, 'jobs'>

/** Its states are those that states/state-machine.ts gives to its kind. The node is reserved in all that it does. */
export type Procedure = {
  readonly kind: ProcedureKind
  /**
   * The verbs that begin it, each with what is checked of its request before anything changes.
   * @returns what is written together with the first state @throws ApplianceError  the answer to the request
   */
  readonly verbs: Readonly<
    Partial<Record<Verb, (parts: ProcedureParts, node: Node, request: ProvisionRequest) => Promise<NodeChange>>>
  >
  /** The option of [conductor] for its longest wait, in seconds; 0 waits for ever. */
  readonly timeout: Extract<keyof Config['conductor'], `${string}_callback_timeout`>
  /** How sentences to an operator begin or end. */
  readonly words: {
    /** `Deploy step`; followed by the step's name. */
    step: string
    /** What to do after a step that cannot be gone on with. */
    again: string
    /** Why whatever still works for the node is called off. */
    ended: string
    /** What went wrong before the first step. */
    failedBefore(node: Node): string
    /** No sign of life for `limit_s`. @param missing  what the node waited for in vain, and where to look */
    timeout(node: Node, given: { step: string; limit_s: number; missing: string }): string
    /** An operator has aborted it. */
    aborted(node: Node): string
  }
  /** Which steps run, and in what order. */
  rules(parts: ProcedureParts, node: Node): PlanRules
  /** Those of the node's deploy interface. */
  pluginSteps(parts: ProcedureParts, plugin: DeployPlugin): readonly Step[]
  /** There is nothing to do, and the node has been moved on. */
  passes?(parts: ProcedureParts, node: NodeHandle): Promise<boolean>
  /** Before the first step. One that waits for the agent gets its plan when that has told its steps. Cut off, it is done again. */
  open(parts: ProcedureParts, node: NodeHandle, task: Task): Promise<StepResult>
  /** All steps are over. May come again after a restart. */
  finish(parts: ProcedureParts, node: NodeHandle): Promise<void>
  /** What a failure changes in the record, beside its state and last_error. */
  failure?(node: Node, error: DeployFailure, isAbort: boolean): NodeChange
  /** What a failure leaves to be done; may come again after a restart. */
  endFailure(parts: ProcedureParts, node: NodeHandle): Promise<void>
  /** Whether an abort ends the step under way at once; otherwise the step is ended first. */
  isAbortable(node: Node): boolean
}
