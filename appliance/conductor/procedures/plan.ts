/** The one planner: which steps a node goes through, and in what order, whatever the procedure. Runs none of them. */
import { InvalidParameterValue } from '../../errors.ts'
import type { Json, ProcedureKind, Step } from '../../plugin-api/index.ts'
import type { AskedStep, OfferedStep, PlannedStep, ProcedureInfo } from '../../records/kinds/internal-info.ts'
import type { Node } from '../../records/kinds/node.ts'
import { internalOf, underWay } from './procedure.ts'
import { checkReserved, isReserved } from './reserved.ts'

/** A step that the appliance runs: of the node's interfaces, its deploy plugin included. */
export type OwnStep = Step & { interface: string }

/** Where a procedure's steps come from. A step of the appliance hides the agent's of that interface and name. */
export type Sources = {
  own: readonly OwnStep[]
  /** undefined: the agent has not told yet, so steps that nobody knows may be its. */
  offered: readonly OfferedStep[] | undefined
  user: readonly AskedStep[]
}

/** How a procedure plans. */
export type PlanRules = {
  /**
   * all: every step with a priority above 0; the user's are added, or change priority and arguments of those known.
   * asked: nothing but the user's steps, in their order, the same one twice if need be.
   */
  steps: 'all' | 'asked'
  /**
   * The priorities in which the agent's steps run by themselves; other steps of it run when they are asked for. Left
   * out: any.
   */
  in_band?: { min: number; max: number }
  /** interface.step to what stands above the priority of its source. */
  priorities?: Readonly<Record<string, number>>
  /** Whether the record shows of a step that it can be aborted. */
  tells_abortable?: boolean
  /** Interfaces: steps of equal priority run in this order. Left out: that of deploys. */
  order?: readonly string[]
}

/**
 * Steps of equal priority run in this order.
 * @source Ironic conductor/steps.py DEPLOYING_INTERFACE_PRIORITY, CLEANING_INTERFACE_PRIORITY
 */
const INTERFACES = ['vendor', 'power', 'management', 'firmware', 'deploy', 'bios', 'raid']

export const keyOf = (step: { interface: string; step: string }) => `${step.interface}.${step.step}`

/** The end of a sentence about an abort. @param shown  the node's field of the step; {}: none had begun */
export const duringStep = ({ interface: of, step }: Json): string =>
  typeof of === 'string' && typeof step === 'string'
    ? ` during or after the completion of step "${keyOf({ interface: of, step })}"`
    : ''

const internal = <F extends keyof ProcedureInfo>(node: Node, field: F): ProcedureInfo[F] | undefined => {
  const procedure = underWay(node)
  return procedure && internalOf(node, procedure.kind, field)
}
/** The plan of the procedure under way; the functions below tell of the same procedure. */
export const planOf = (node: Node): readonly PlannedStep[] => internal(node, 'plan') ?? []
export const indexOf = (node: Node): number => internal(node, 'index') ?? -1
export const currentStepOf = (node: Node): PlannedStep | undefined => planOf(node)[indexOf(node)]
export const offeredSteps = (node: Node): readonly OfferedStep[] | undefined => internal(node, 'offered')
export const userSteps = (node: Node): readonly AskedStep[] => internal(node, 'user') ?? []

/**
 * The steps that are over, and what is left to do.
 * @param done  what is over, and stays
 * @throws InvalidParameterValue  a step that was asked for and is not there, or its arguments, in Ironic's words
 */
export function planSteps(
  kind: ProcedureKind,
  rules: PlanRules,
  sources: Sources,
  done: readonly PlannedStep[] = [],
): PlannedStep[] {
  const known = knownSteps(rules, sources)
  if (rules.steps === 'asked') {
    return [...done, ...askedSteps(kind, { rules, known }, sources.user.slice(done.length))]
  }
  const placeOf = (step: PlannedStep) => (known.has(keyOf(step)) || !isReserved(step) ? keyOf(step) : placeAt(step))
  const plan = new Map([...known].map(([key, { planned }]) => [key, planned]))
  for (const asked of sources.user) {
    const found = known.get(keyOf(asked))
    if (found) checkArguments(kind, asked, found.args)
    else if (isReserved(asked)) checkReserved(`${kind}_steps`, asked)
    else if (sources.offered) throw unsupported(kind, asked, known.keys())
    else continue
    plan.set(placeOf(asked), asked)
  }
  const over = new Set(done.map(placeOf))
  const left = [...plan.values()].filter((step) => step.priority > 0 && !over.has(placeOf(step)))
  return [...done, ...left.sort(byPriority(rules.order ?? INTERFACES))]
}

/** A reserved step may come more than once, each time at a priority of its own. */
const placeAt = (step: PlannedStep) => `${keyOf(step)}@${step.priority}`

type Known = ReadonlyMap<string, { planned: PlannedStep; args: ArgsInfo }>

/** What a step may be given. */
type ArgsInfo = Readonly<Record<string, { description: string; required?: boolean }>>

function knownSteps(rules: PlanRules, { own, offered = [] }: Sources): Known {
  const known = new Map<string, { planned: PlannedStep; args: ArgsInfo }>()
  const add = (step: Pick<OwnStep, 'interface' | 'step' | 'priority' | 'abortable'>, args: ArgsInfo) => {
    const key = keyOf(step)
    if (known.has(key)) return
    const planned = {
      ...{ interface: step.interface, step: step.step, args: {} },
      priority: rules.priorities?.[key] ?? step.priority,
      ...(rules.tells_abortable ? { abortable: step.abortable ?? false } : {}),
    }
    known.set(key, { planned, args })
  }
  for (const step of own) add(step, step.argsInfo ?? {})
  // A reserved name is never the agent's.
  for (const step of offered.filter((each) => !isReserved(each)))
    add({ ...step, priority: inBand(rules, step.priority) }, step.argsinfo)
  return known
}

const inBand = ({ in_band }: PlanRules, priority: number) =>
  in_band && (priority < in_band.min || priority > in_band.max) ? 0 : priority

const askedSteps = (
  kind: ProcedureKind,
  { rules, known }: { rules: PlanRules; known: Known },
  user: readonly AskedStep[],
): PlannedStep[] =>
  user.map((asked) => {
    const found = known.get(keyOf(asked))
    if (!found && isReserved(asked)) {
      checkReserved(`${kind}_steps`, asked)
      return { ...asked, ...(rules.tells_abortable ? { abortable: true } : {}) }
    }
    if (!found) throw unsupported(kind, asked, known.keys())
    checkArguments(kind, asked, found.args)
    return { ...found.planned, args: asked.args }
  })

const byPriority = (order: readonly string[]) => {
  const rankOf = (step: PlannedStep) => {
    const rank = order.indexOf(step.interface)
    return rank < 0 ? order.length : rank
  }
  return (a: PlannedStep, b: PlannedStep) => b.priority - a.priority || rankOf(a) - rankOf(b)
}

/** @throws InvalidParameterValue  in Ironic's words */
function checkArguments(kind: ProcedureKind, asked: AskedStep, info: ArgsInfo): void {
  const unexpected = Object.keys(asked.args).filter((name) => !Object.hasOwn(info, name))
  if (unexpected.length > 0) {
    throw new InvalidParameterValue(
      `${kind} step ${keyOf(asked)} has these unexpected arguments: ${unexpected.join(', ')}`,
    )
  }
  const missing = Object.keys(info).filter((name) => info[name]?.required && !Object.hasOwn(asked.args, name))
  if (missing.length > 0) {
    throw new InvalidParameterValue(
      `${kind} step ${keyOf(asked)} is missing these required arguments: ${missing.join(', ')}`,
    )
  }
}

/** In Ironic's words. */
const unsupported = (kind: ProcedureKind, asked: AskedStep, known: Iterable<string>) =>
  new InvalidParameterValue(
    `node does not support this ${kind} step: ${keyOf(asked)} (it has ${[...known].join(', ') || 'none'})`,
  )
