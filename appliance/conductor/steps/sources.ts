/** Gathers the steps that a node's procedure may run, and finds what to run for a planned step. */
import { AgentFailure, DeployFailure } from '../../errors.ts'
import type { SignOfLife, Step, StepResult, Task } from '../../plugin-api/index.ts'
import type { AskedStep, OfferedStep, PlannedStep } from '../../records/kinds/internal-info.ts'
import type { Node } from '../../records/kinds/node.ts'
import { interfaceSteps } from '../interfaces/steps.ts'
import { askPlugin, checkedSteps } from '../plugin/faults.ts'
import { pluginOf } from '../plugin/plugin-of.ts'
import { allowedOf } from '../procedures/disallowed.ts'
import { keyOf, type OwnStep, offeredSteps, planSteps, userSteps } from '../procedures/plan.ts'
import { isReserved } from '../procedures/reserved.ts'
import type { Procedure, ProcedureParts } from './procedure.ts'

/** @throws InvalidParameterValue  the node's deploy interface is not loaded, or another interface is not enabled */
export function ownSteps(parts: ProcedureParts, procedure: Procedure, node: Node): readonly OwnStep[] {
  if (procedure.ownSteps) return procedure.ownSteps(parts, node)
  const plugin = pluginOf(parts, node)
  const who = `the deploy interface ${plugin.name}`
  const given = askPlugin({ who, node: node.uuid }, () => procedure.pluginSteps?.(parts, plugin, node) ?? [])
  const ofPlugin = checkedSteps(who, given)
  return [...interfaceSteps(parts, node, procedure.kind), ...ofPlugin.map((step) => ({ ...step, interface: 'deploy' }))]
}

type Given = { offered: readonly OfferedStep[] | undefined; done?: readonly PlannedStep[]; user?: readonly AskedStep[] }

/**
 * The plan of a node's procedure. `offered` undefined: the agent has not told yet. `user`: other steps than the record
 * has.
 * @throws InvalidParameterValue  a step was asked for that nobody has
 */
export const planFor = (
  parts: ProcedureParts,
  procedure: Procedure,
  node: Node,
  { offered, done, user = userSteps(node) }: Given,
): PlannedStep[] => {
  const { kind } = procedure
  const allowed = <S extends { interface: string; step: string }>(steps: readonly S[]) =>
    allowedOf(parts.config, kind, steps)
  const own = allowed(ownSteps(parts, procedure, node))
  const sources = { own, offered: offered && allowed(offered), user: allowed(user) }
  return planSteps(kind, procedure.rules(parts, node), sources, done)
}

/** @throws DeployFailure  after an upgrade, or with other plugins, the step may be gone */
export function stepFor(parts: ProcedureParts, procedure: Procedure, node: Node, planned: PlannedStep): Step {
  const own = ownSteps(parts, procedure, node).find((step) => keyOf(step) === keyOf(planned))
  if (own) return own
  const offered = offeredSteps(node)?.find((step) => keyOf(step) === keyOf(planned))
  if (offered) return inBandStep(procedure, planned, offered.reboot_requested)
  throw new DeployFailure(
    `Neither the deploy interface ${node.interfaces.deploy} nor the agent has the step ${keyOf(planned)} any more.`,
  )
}

/** Whether the engine itself runs it: its name is reserved, and no interface has such a step. */
export const isOfEngine = (parts: ProcedureParts, procedure: Procedure, node: Node, planned: PlannedStep): boolean =>
  isReserved(planned) && !ownSteps(parts, procedure, node).some((step) => keyOf(step) === keyOf(planned))

/** A step of the agent is given to the agent and awaited. The machine is started anew where the step asks for that. */
function inBandStep(procedure: Procedure, planned: PlannedStep, reboots: boolean): Step {
  return {
    step: planned.step,
    priority: planned.priority,
    // The arguments go out digit by digit as they were asked for: a stock agent may need what plain numbers lose.
    run: (task) => task.agent.execute({ interface: planned.interface, step: planned.step, args: planned.args }),
    ...(reboots ? { resume: (task: Task, sign: SignOfLife) => afterReboot(procedure, planned, task, sign) } : {}),
  }
}

async function afterReboot(
  procedure: Procedure,
  planned: PlannedStep,
  task: Task,
  sign: SignOfLife,
): Promise<StepResult> {
  const result = afterSign(procedure, planned, sign)
  if (!('done' in result) || sign.from !== 'agent' || sign.waited === 'agent-boot') return result
  await task.boot.agent()
  return { wait: 'agent-boot', note: `${keyOf(planned)} wants a reboot` }
}

/** For steps that do not say what a sign of life means to them. @throws AgentFailure, DeployFailure */
export function afterSign({ words }: Procedure, planned: PlannedStep, sign: SignOfLife): StepResult {
  if (sign.from === 'callback') {
    if (sign.status === 'end') return { done: true }
    if (sign.status === 'start') return { wait: 'callback' }
    throw new DeployFailure(`The installer reported an error: ${sign.message || 'it gave no reason'}`)
  }
  if (sign.waited === 'agent-boot') return { done: true }
  const { command } = sign
  if (!command || command.status === 'RUNNING') return { wait: 'agent-command' }
  if (command.status === 'SUCCEEDED') return { done: true }
  if (command.status === 'VERSION_MISMATCH') {
    throw new AgentFailure(
      `The agent's hardware managers are not those that told of the step ${keyOf(planned)}. ${words.again}`,
    )
  }
  throw new AgentFailure(`the agent returned an error: ${command.error ?? 'it gave no reason'}`)
}
