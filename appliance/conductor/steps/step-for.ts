/** From a planned step in a node's record to what is run for it: the plugin's, or one that the agent does by itself. */
import { AgentFailure, DeployFailure } from '../../errors.ts'
import type { DeployPlugin, SignOfLife, Step, StepResult, Task } from '../../plugin-api/index.ts'
import type { Node } from '../../records/kinds/node.ts'
import { keyOf, offeredSteps, type PlannedStep } from '../procedures/plan.ts'
import type { Procedure } from '../procedures/procedure.ts'
import type { Way } from './way.ts'

/** @throws DeployFailure  after an upgrade, or another set of plugins, the step may be gone */
export function stepFor(way: Way, plugin: DeployPlugin, node: Node, planned: PlannedStep): Step {
  const own = planned.interface === 'deploy' && way.steps(plugin).find(({ step }) => step === planned.step)
  if (own) return own
  const offered = offeredSteps(node)?.find((step) => keyOf(step) === keyOf(planned))
  if (offered) return inBandStep(way.procedure, planned, offered.reboot_requested)
  throw new DeployFailure(
    `Neither the deploy interface ${plugin.name} nor the agent has the step ${keyOf(planned)} any more.`,
  )
}

/** The agent's own: given to it, awaited, and its machine started anew when it wishes so. */
function inBandStep(procedure: Procedure, planned: PlannedStep, reboots: boolean): Step {
  return {
    step: planned.step,
    priority: planned.priority,
    // As they were asked for, and not as a plugin reads them: the agent may be of others.
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
