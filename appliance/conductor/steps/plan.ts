/** Which deploy steps a node goes through, and in what order: a list in its record. Runs none of them. */
import type { OfferedStep } from '../../agent/commands.ts'
import { InvalidParameterValue } from '../../errors.ts'
import type { Node } from '../../nodes/node.ts'
import type { Json, Step } from '../../plugin-api/index.ts'

export type PlannedStep = { interface: string; step: string; priority: number; args: Json }

/** Steps of equal priority run in this order. @source Ironic conductor/steps.py DEPLOYING_INTERFACE_PRIORITY */
const INTERFACES = ['vendor', 'power', 'management', 'firmware', 'deploy', 'bios', 'raid']
/** In which priorities an agent's own steps run by themselves: between its boot and its end. */
const IN_BAND = { min: 41, max: 99 } as const
const STEPS_LIMIT = 200

export const keyOf = (step: { interface: string; step: string }) => `${step.interface}.${step.step}`

/** What of a deploy is in driver_internal_info, and gone with its end. */
export const DEPLOY_TRACES = {
  deploy_steps: undefined,
  deploy_step_index: undefined,
  deploy_step_started_at: undefined,
  user_deploy_steps: undefined,
  deploy_kept: undefined,
  container_image_deployed: undefined,
  boot_files_secret: undefined,
  deploy_cleanup_pending: undefined,
  agent_command_id: undefined,
  network_boot: undefined,
} as const

export const planOf = (node: Node): readonly PlannedStep[] =>
  (node.driver_internal_info.deploy_steps as PlannedStep[] | undefined) ?? []
export const indexOf = (node: Node): number => Number(node.driver_internal_info.deploy_step_index ?? -1)
export const currentStepOf = (node: Node): PlannedStep | undefined => planOf(node)[indexOf(node)]
export const offeredSteps = (node: Node): readonly OfferedStep[] | undefined =>
  node.driver_internal_info.agent_cached_deploy_steps as OfferedStep[] | undefined
export const userSteps = (node: Node): readonly PlannedStep[] =>
  (node.driver_internal_info.user_deploy_steps as PlannedStep[] | undefined) ?? []

type Known = { step: PlannedStep; argsInfo: Readonly<Record<string, { description: string; required?: boolean }>> }

export type Sources = {
  plugin: readonly Step[]
  /** undefined: the agent has not told yet, so steps that nobody knows may be its. */
  offered: readonly OfferedStep[] | undefined
  user: readonly PlannedStep[]
}

function knownSteps({ plugin, offered }: Sources): Map<string, Known> {
  const known = new Map<string, Known>()
  for (const { step, priority, argsInfo } of plugin) {
    known.set(`deploy.${step}`, { step: { interface: 'deploy', step, priority, args: {} }, argsInfo: argsInfo ?? {} })
  }
  for (const { interface: name, step, priority, argsinfo } of offered ?? []) {
    if (known.has(`${name}.${step}`)) continue
    const runs = priority >= IN_BAND.min && priority <= IN_BAND.max
    known.set(`${name}.${step}`, {
      step: { interface: name, step, priority: runs ? priority : 0, args: {} },
      argsInfo: argsinfo,
    })
  }
  return known
}

/** @throws InvalidParameterValue  a step that was asked for and is not there, or its arguments, in Ironic's words */
export function planSteps(sources: Sources): PlannedStep[] {
  const known = knownSteps(sources)
  const plan = new Map([...known].map(([key, { step }]) => [key, step]))
  for (const asked of sources.user) {
    const found = known.get(keyOf(asked))
    if (found) checkArguments(asked, found.argsInfo)
    else if (sources.offered) {
      throw new InvalidParameterValue(
        `node does not support this deploy step: ${keyOf(asked)} (it has ${[...known.keys()].join(', ')})`,
      )
    } else continue
    plan.set(keyOf(asked), asked)
  }
  return [...plan.values()].filter(({ priority }) => priority > 0).sort(byPriority)
}

/** The plan after the agent has told its steps: what is over stays, the rest is planned anew. */
export function replan(done: readonly PlannedStep[], sources: Sources): PlannedStep[] {
  const over = new Set(done.map(keyOf))
  return [...done, ...planSteps(sources).filter((step) => !over.has(keyOf(step)))]
}

const rankOf = (step: PlannedStep) => {
  const rank = INTERFACES.indexOf(step.interface)
  return rank < 0 ? INTERFACES.length : rank
}
const byPriority = (a: PlannedStep, b: PlannedStep) => b.priority - a.priority || rankOf(a) - rankOf(b)

function checkArguments(asked: PlannedStep, argsInfo: Known['argsInfo']): void {
  const unexpected = Object.keys(asked.args).filter((name) => !Object.hasOwn(argsInfo, name))
  if (unexpected.length > 0) {
    throw new InvalidParameterValue(
      `deploy step ${keyOf(asked)} has these unexpected arguments: ${unexpected.join(', ')}`,
    )
  }
  const missing = Object.keys(argsInfo).filter((name) => argsInfo[name]?.required && !Object.hasOwn(asked.args, name))
  if (missing.length > 0) {
    throw new InvalidParameterValue(
      `deploy step ${keyOf(asked)} is missing these required arguments: ${missing.join(', ')}`,
    )
  }
}

/** The deploy_steps of a request, in shape. @throws InvalidParameterValue */
export function parseUserSteps(given: readonly Json[]): PlannedStep[] {
  if (given.length > STEPS_LIMIT) {
    throw new InvalidParameterValue(`deploy_steps has ${given.length} steps: at most ${STEPS_LIMIT} are taken.`)
  }
  const steps = given.map((item) => {
    const { interface: name, step, priority, args = {} } = item ?? {}
    const isRight =
      typeof name === 'string' &&
      typeof step === 'string' &&
      Number.isInteger(priority) &&
      Number(priority) >= 0 &&
      args !== null &&
      typeof args === 'object' &&
      !Array.isArray(args)
    if (isRight) return { interface: name, step, priority: Number(priority), args: args as Json }
    throw new InvalidParameterValue(
      `deploy_steps holds ${JSON.stringify(item)?.slice(0, 200)}: expected {interface, step, priority: 0 or more, args: {...}}.`,
    )
  })
  const twice = steps.find((step, at) => steps.findIndex((other) => keyOf(other) === keyOf(step)) !== at)
  if (twice) throw new InvalidParameterValue(`deploy_steps names ${keyOf(twice)} more than once.`)
  return steps
}
