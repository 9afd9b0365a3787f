/** The list of steps that a node goes through, in its record: how it is read, and what all procedures' plans have in common. Runs none of them. */
import type { OfferedStep } from '../../agent/commands.ts'
import { InvalidParameterValue } from '../../errors.ts'
import type { Json, Step } from '../../plugin-api/index.ts'
import type { Node } from '../../records/kinds/node.ts'
import { type Procedure, type StepKind, underWay } from './procedure.ts'

/** `abortable`: of clean steps. */
export type PlannedStep = { interface: string; step: string; priority: number; args: Json; abortable?: boolean }

/** Steps of equal priority run in this order. @source Ironic conductor/steps.py DEPLOYING_INTERFACE_PRIORITY, CLEANING_INTERFACE_PRIORITY */
const INTERFACES = ['vendor', 'power', 'management', 'firmware', 'deploy', 'bios', 'raid']

export const keyOf = (step: { interface: string; step: string }) => `${step.interface}.${step.step}`

const internal = (node: Node, key: keyof Procedure['keys']): unknown => {
  const procedure = underWay(node)
  return procedure && node.driver_internal_info[procedure.keys[key]]
}
/** Of what the node goes through now, as all that follows. */
export const planOf = (node: Node): readonly PlannedStep[] =>
  (internal(node, 'plan') as PlannedStep[] | undefined) ?? []
export const indexOf = (node: Node): number => Number(internal(node, 'index') ?? -1)
export const currentStepOf = (node: Node): PlannedStep | undefined => planOf(node)[indexOf(node)]
export const offeredSteps = (node: Node): readonly OfferedStep[] | undefined =>
  internal(node, 'offered') as OfferedStep[] | undefined
export const userSteps = (node: Node): readonly PlannedStep[] =>
  (internal(node, 'user') as PlannedStep[] | undefined) ?? []

const rankOf = (step: PlannedStep) => {
  const rank = INTERFACES.indexOf(step.interface)
  return rank < 0 ? INTERFACES.length : rank
}
export const byPriority = (a: PlannedStep, b: PlannedStep) => b.priority - a.priority || rankOf(a) - rankOf(b)

/** What a step may be given. */
export type ArgsInfo = Readonly<Record<string, { description: string; required?: boolean }>>

export type Sources = {
  plugin: readonly Step[]
  /** undefined: the agent has not told yet, so steps that nobody knows may be its. */
  offered: readonly OfferedStep[] | undefined
  user: readonly PlannedStep[]
}

/** @throws InvalidParameterValue  in Ironic's words */
export function checkArguments(kind: StepKind, asked: PlannedStep, argsInfo: ArgsInfo): void {
  const unexpected = Object.keys(asked.args).filter((name) => !Object.hasOwn(argsInfo, name))
  if (unexpected.length > 0) {
    throw new InvalidParameterValue(
      `${kind} step ${keyOf(asked)} has these unexpected arguments: ${unexpected.join(', ')}`,
    )
  }
  const missing = Object.keys(argsInfo).filter((name) => argsInfo[name]?.required && !Object.hasOwn(asked.args, name))
  if (missing.length > 0) {
    throw new InvalidParameterValue(
      `${kind} step ${keyOf(asked)} is missing these required arguments: ${missing.join(', ')}`,
    )
  }
}

/** In Ironic's words. */
export const unsupported = (kind: StepKind, asked: PlannedStep, known: Iterable<string>) =>
  new InvalidParameterValue(
    `node does not support this ${kind} step: ${keyOf(asked)} (it has ${[...known].join(', ')})`,
  )
