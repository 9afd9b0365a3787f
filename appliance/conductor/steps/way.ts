/** What a procedure does beside its steps: how it begins, which steps it has, and how it ends. One for deploys, one for cleaning. */
import type { OfferedStep } from '../../agent/commands.ts'
import { DeployFailure } from '../../errors.ts'
import type { DeployPlugin, Step, StepResult, Task } from '../../plugin-api/index.ts'
import type { Node } from '../../records/kinds/node.ts'
import type { PlannedStep } from '../procedures/plan.ts'
import type { Procedure } from '../procedures/procedure.ts'

/** No step's fault: the node's last_error as it stands. */
export class ProcedureFailure extends DeployFailure {}

/** The node is held in all of it. */
export type Way = {
  readonly procedure: Procedure
  /** There is nothing to do, and the node has been moved on. */
  passes?(uuid: string): Promise<boolean>
  /** Before the first step. One that waits for the agent gets its plan when that has told its steps. Cut off, it is done again. */
  open(task: Task): Promise<StepResult>
  /** The plugin's own steps. */
  steps(plugin: DeployPlugin): readonly Step[]
  /**
   * @param done  what is over, and stays
   * @param offered  undefined: the agent has not told yet
   * @throws InvalidParameterValue  a step was asked for that nobody has
   */
  plan(node: Node, done: readonly PlannedStep[], offered: readonly OfferedStep[] | undefined): PlannedStep[]
  /** How the sentence begins that tells what went wrong before the first step. */
  failedBefore(node: Node): string
  /** No sign of life for `limit_s`. @param missing  what the node waited for in vain, and where to look */
  timeout(node: Node, given: { step: string; limit_s: number; missing: string }): string
  /** All steps are over. */
  finish(uuid: string): Promise<void>
  /** Does nothing to a node that does not go through it any more. */
  fail(uuid: string, error: DeployFailure): Promise<void>
  /** It was asked for while a step ran that could not be aborted: that is over now. */
  abort(uuid: string): Promise<void>
  /** What a failure leaves to be done; may come again after a restart. */
  endFailure(uuid: string): Promise<void>
}
