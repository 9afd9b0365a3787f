/** Which clean steps a node goes through, and in what order. Runs none of them. */

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

/** By interface.step: what stands above that of the agent or plugin. */
export type Priorities = Readonly<Record<string, number>>

type Known = { step: PlannedStep; argsInfo: ArgsInfo }

const STEPS_LIMIT = 200

function knownSteps({ plugin, offered }: Omit<Sources, 'user'>, priorities: Priorities): Map<string, Known> {
  const known = new Map<string, Known>()
  const add = (step: PlannedStep, argsInfo: ArgsInfo) => {
    const key = keyOf(step)
    // The plugin's own come first, and hide the agent's of that name.
    if (!known.has(key)) known.set(key, { step: { ...step, priority: priorities[key] ?? step.priority }, argsInfo })
  }
  for (const { step, priority, argsInfo = {}, abortable = false } of plugin) {
    add({ interface: 'deploy', step, priority, args: {}, abortable }, argsInfo)
  }
  for (const { interface: name, step, priority, argsinfo, abortable = false } of offered ?? []) {
    add({ interface: name, step, priority, args: {}, abortable }, argsinfo)
  }
  return known
}

/** Of an automated cleaning: all that have a priority. @source Ironic conductor/steps.py _get_cleaning_steps */
export function planAutomated(
  done: readonly PlannedStep[],
  sources: Omit<Sources, 'user'>,
  priorities: Priorities,
): PlannedStep[] {
  const over = new Set(done.map(keyOf))
  const steps = [...knownSteps(sources, priorities).values()].map(({ step }) => step)
  return [...done, ...steps.filter((step) => step.priority > 0 && !over.has(keyOf(step))).sort(byPriority)]
}

/**
 * Of a manual cleaning: those that were asked for, in that order, the same one twice if need be.
 * @throws InvalidParameterValue  one that nobody has, or its arguments, in Ironic's words
 */
export function planManual(done: readonly PlannedStep[], sources: Sources, priorities: Priorities): PlannedStep[] {
  const known = knownSteps(sources, priorities)
  const left = sources.user.slice(done.length).map((asked): PlannedStep => {
    const found = known.get(keyOf(asked))
    if (!found) throw unsupported('clean', asked, known.keys())
    checkArguments('clean', asked, found.argsInfo)
    return { ...found.step, args: asked.args }
  })
  return [...done, ...left]
}

/** The clean_steps of a request, in shape. @throws InvalidParameterValue */
export function parseCleanSteps(given: readonly Json[]): PlannedStep[] {
  if (given.length === 0 || given.length > STEPS_LIMIT) {
    throw new InvalidParameterValue(`clean_steps has ${given.length} steps: 1 to ${STEPS_LIMIT} are taken.`)
  }
  return given.map((item) => {
    const { interface: name, step, args, execute_on_child_nodes } = item ?? {}
    const isRight = typeof name === 'string' && typeof step === 'string' && (args === undefined || isObject(args))
    if (!isRight) {
      throw new InvalidParameterValue(
        `clean_steps holds ${JSON.stringify(item)?.slice(0, 200)}: expected {interface, step, args: {...}}.`,
      )
    }
    if (execute_on_child_nodes === true) {
      throw new InvalidParameterValue(
        `clean_steps asks for ${name}.${step} on child nodes, which this appliance does not do. Clean each of them.`,
      )
    }
    return { interface: name, step, priority: 0, args: args ?? {} }
  })
}
