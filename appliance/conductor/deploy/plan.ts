/** Which deploy steps a node goes through, and in what order. Runs none of them. */

import { isObject } from '@appliance/ground/json'
import { InvalidParameterValue } from '../../errors.ts'
import type { Json } from '../../plugin-api/index.ts'
import {
  type ArgsInfo,
  byPriority,
  checkArguments,
  keyOf,
  type PlannedStep,
  type Sources,
  unsupported,
} from '../procedures/plan.ts'

/** In which priorities an agent's own steps run by themselves: between its boot and its end. */
const IN_BAND = { min: 41, max: 99 } as const
const STEPS_LIMIT = 200

type Known = { step: PlannedStep; argsInfo: ArgsInfo }

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
    if (found) checkArguments('deploy', asked, found.argsInfo)
    else if (sources.offered) throw unsupported('deploy', asked, known.keys())
    else continue
    plan.set(keyOf(asked), asked)
  }
  return [...plan.values()].filter(({ priority }) => priority > 0).sort(byPriority)
}

/** The plan after the agent has told its steps: what is over stays, the rest is planned anew. */
export function replan(done: readonly PlannedStep[], sources: Sources): PlannedStep[] {
  const over = new Set(done.map(keyOf))
  return [...done, ...planSteps(sources).filter((step) => !over.has(keyOf(step)))]
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
      isObject(args)
    if (isRight) return { interface: name, step, priority: Number(priority), args }
    throw new InvalidParameterValue(
      `deploy_steps holds ${JSON.stringify(item)?.slice(0, 200)}: expected {interface, step, priority: 0 or more, args: {...}}.`,
    )
  })
  const twice = steps.find((step, at) => steps.findIndex((other) => keyOf(other) === keyOf(step)) !== at)
  if (twice) throw new InvalidParameterValue(`deploy_steps names ${keyOf(twice)} more than once.`)
  return steps
}
