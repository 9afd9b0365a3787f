/**
 * A row of the list of procedures. A procedure runs steps on a machine, from wait to wait. The engine in this folder
 * does what all
 * procedures have in common: it plans, runs, waits, resumes, times out, fails, aborts, and goes on after a restart.
 */
import type { Config } from '../../config/options.ts'
import { DeployFailure } from '../../errors.ts'
import type { DeployPlugin, ProcedureKind, Step, StepResult, Task } from '../../plugin-api/index.ts'
import type { Node } from '../../records/kinds/node.ts'
import type { Parts } from '../parts/parts.ts'
import type { OwnStep, PlanRules } from '../procedures/plan.ts'
import type { ProvisionRequest } from '../procedures/request.ts'
import type { NodeChange, NodeHandle } from '../states/node-handle.ts'
import type { Verb } from '../states/state-machine.ts'
import type { TaskParts } from '../task/task.ts'

/** A failure that is no step's fault: its text becomes the node's last_error without a word about a step. */
export class ProcedureFailure extends DeployFailure {}

/** What a procedure works with. */
export type ProcedureParts = TaskParts & Pick<Parts, 'background' | 'strangers' | 'inspections' | 'hostname'>

/** An agent reports by itself what it found on its machine. */
export type ReportAwaited = { wait: 'report'; note?: string }

/** states/state-machine.ts gives each kind its states. The node is reserved whenever one of these functions runs. */
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
  readonly timeout: Extract<keyof Config['conductor'], `${string}_callback_timeout` | 'inspect_wait_timeout'>
  /** How sentences to an operator begin or end. */
  readonly words: {
    /** `Deploy step`; followed by the step's name. */
    step: string
    /** What an operator can do after a step that cannot go on. */
    again: string
    /** The reason given to work that is called off because the procedure has ended. */
    ended: string
    /** Begins the sentence about a failure before the first step. */
    failedBefore(node: Node): string
    /**
     * The node has given no sign of life for `limit_s`.
     * @param missing  what the node waited for in vain, and where to look
     */
    timeout(node: Node, given: { step: string; limit_s: number; missing: string }): string
    /** An operator has aborted it. */
    aborted(node: Node): string
  }
  /** Which steps run, and in what order. */
  rules(parts: ProcedureParts, node: Node): PlanRules
  /** The steps that the node's deploy interface brings, beside those of its other interfaces. */
  pluginSteps?(parts: ProcedureParts, plugin: DeployPlugin, node: Node): readonly Step[]
  /** All steps that the appliance runs in it, where they are not those of interfaces and plugin. */
  ownSteps?(parts: ProcedureParts, node: Node): readonly OwnStep[]
  /** The agent is not asked for steps: it runs none of its own in this procedure. */
  asksNoAgent?: true
  /** The node's deploy interface has no part in it, and need not be there. */
  needsNoPlugin?: true
  /** @returns true: there was nothing to do, and the node has been moved on */
  passes?(parts: ProcedureParts, node: NodeHandle): Promise<boolean>
  /**
   * Runs before the first step, and once more when a restart cut it off. When it waits for the agent, the plan is made
   * after the
   * agent has told its steps. When it waits for a report, there is no plan: what is left is done by `finish`.
   */
  open(parts: ProcedureParts, node: NodeHandle, task: Task): Promise<StepResult | ReportAwaited>
  /** Runs when all steps are over, and once more when a restart cut it off. */
  finish(parts: ProcedureParts, node: NodeHandle): Promise<void>
  /** What a failure changes in the record, beside its state and last_error. */
  failure?(node: Node, error: DeployFailure, isAbort: boolean): NodeChange
  /** Does what a failure leaves to be done. Runs once more when a restart cut it off. */
  endFailure(parts: ProcedureParts, node: NodeHandle): Promise<void>
  /** Who aborts it while it waits has it led on by another abort, from its failed state. */
  abortGoesOn?: true
  /** Whether an abort ends the step under way at once; otherwise the step is ended first. */
  isAbortable(node: Node): boolean
}
