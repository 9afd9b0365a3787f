/**
 * Checks of a plugin's own steps: run, waits over a restart, failures, aborts. Those of the kit are the conductor's
 * affair.
 */
import { isDeepStrictEqual } from 'node:util'
import type { DeployPlugin, SignOfLife, Step, StepResult } from '../../plugin-api/index.ts'
import { createKitOnPaper } from '../kit-on-paper.ts'
import { agentCommand, createTaskOnPaper, type TaskOnPaper, type TaskSetting } from '../task-on-paper.ts'
import type { Given } from './given.ts'
import { type Outcome, outcomeOf, settingOf, told } from './life.ts'

type Wait = Extract<StepResult, { wait: string }>['wait']
const WAITS: readonly string[] = ['agent-command', 'agent-boot', 'callback'] satisfies readonly Wait[]
/** How often a step may wait before it is done. */
const ROUNDS = 20

export function ownSteps(plugin: DeployPlugin): Step[] {
  const { kit, isOwn } = createKitOnPaper()
  return plugin
    .deploySteps(kit)
    .filter(isOwn)
    .sort((one, other) => other.priority - one.priority)
}

const runStep = (given: Given, step: Step, { task }: TaskOnPaper) =>
  outcomeOf(async () => step.run(task, given.args?.[step.step] ?? {}), given.deadline_ms)

/** After each wait the appliance was restarted: only the store is left, so what was kept is all that is there. */
export async function deploys(given: Given): Promise<string[]> {
  const problems: string[] = []
  let kept = {}
  for (const step of ownSteps(given.plugin)) {
    const paper = createTaskOnPaper(settingOf(given, { kept }))
    const outcome = await runStep(given, step, paper)
    const last = await goOn(given, step.step, { paper, outcome })
    problems.push(...last.problems)
    kept = last.kept
  }
  return problems
}

type Round = { paper: TaskOnPaper; outcome: Outcome<StepResult> }

async function goOn(given: Given, name: string, first: Round): Promise<{ problems: string[]; kept: object }> {
  let { paper, outcome } = first
  for (let round = 0; round < ROUNDS; round++) {
    const { kept } = paper
    if (outcome.ended !== 'well') return { problems: [told(`step ${name}`, outcome, given)], kept }
    const result = outcome.value
    const wrong = resultProblem(result)
    if (wrong !== undefined) return { problems: [`step ${name} returns ${wrong}`], kept }
    if (!('wait' in result)) return { problems: [], kept }
    const step = ownSteps(await given.afterRestart()).find((one) => one.step === name)
    if (!step) return { problems: [`step ${name} is gone after a restart`], kept }
    if (!step.resume) return { problems: [], kept }
    paper = createTaskOnPaper(settingOf(given, { kept }))
    outcome = await resume(given, step, paper, signFor(result.wait, 'succeeds'))
  }
  return { problems: [`step ${name} still waits after ${ROUNDS} good signs of life`], kept: paper.kept }
}

const resume = async (given: Given, step: Step, { task }: TaskOnPaper, sign: SignOfLife) =>
  outcomeOf(async () => step.resume?.(task, sign) ?? ({ done: true } as const), given.deadline_ms)

/** It goes into the store as JSON, so more than this would be lost. */
function resultProblem(result: unknown): string | undefined {
  const is = JSON.stringify(result) ?? String(result)
  if (isDeepStrictEqual(result, { done: true })) return undefined
  const { wait, note, ...more } = (result ?? {}) as { wait?: unknown; note?: unknown }
  const isWait = typeof wait === 'string' && WAITS.includes(wait) && (note === undefined || typeof note === 'string')
  return isWait && Object.keys(more).length === 0
    ? undefined
    : `${is}, and {done: true} or {wait: ${WAITS.join(' | ')}, note?} is expected`
}

function signFor(wait: Wait, agent: 'succeeds' | 'fails'): SignOfLife {
  if (wait === 'callback') {
    return agent === 'succeeds'
      ? { from: 'callback', status: 'end' }
      : { from: 'callback', status: 'error', message: 'the disk is on fire' }
  }
  if (wait === 'agent-boot') return { from: 'agent', waited: wait, commands: [] }
  const command = agentCommand('execute_deploy_step', agent)
  return { from: 'agent', waited: wait, commands: [command], command }
}

/** The node must not become active when the machine said that it could not. */
export async function failsWithTheMachine(given: Given): Promise<string[]> {
  const problems: string[] = []
  for (const step of ownSteps(given.plugin)) {
    const setting: TaskSetting = settingOf(given, { agent: 'fails' })
    const paper = createTaskOnPaper(setting)
    const outcome = await runStep(given, step, paper)
    if (outcome.ended !== 'well' || !('wait' in outcome.value) || !step.resume) continue
    if (outcome.value.wait === 'agent-boot') continue
    const again = createTaskOnPaper({ ...setting, kept: paper.kept })
    const resumed = await resume(given, step, again, signFor(outcome.value.wait, 'fails'))
    if (resumed.ended === 'well')
      problems.push(
        `step ${step.step} goes on with ${JSON.stringify(resumed.value)} although the machine told of a failure`,
      )
    if (resumed.ended === 'never') problems.push(told(`resume of step ${step.step}`, resumed, given))
  }
  return problems
}

export async function stopsWhenAborted(given: Given): Promise<string[]> {
  const problems: string[] = []
  for (const step of ownSteps(given.plugin)) {
    const paper = createTaskOnPaper(settingOf(given, { signal: AbortSignal.abort(new Error('called off')) }))
    const outcome = await runStep(given, step, paper)
    if (outcome.ended === 'never') problems.push(told(`step ${step.step} with an aborted signal`, outcome, given))
    if (outcome.ended === 'well' && paper.refused.length > 0) {
      const calls = paper.refused.map((name) => `task.${name}`).join(', ')
      problems.push(`step ${step.step} returns ${JSON.stringify(outcome.value)} although ${calls} was aborted`)
    }
  }
  return problems
}
