/** What of a rule can be told wrong before an inspection: operators, actions, their arguments, expressions. */
import { hasMembers } from '@appliance/ground/exact-number'
import { InvalidParameterValue } from '../../errors.ts'
import type { InspectionRule, RuleAction } from '../../records/kinds/inspection-rule.ts'
import { ACTIONS } from './actions.ts'
import { OPERATORS, type Signature } from './conditions.ts'
import { named, operatorOf } from './evaluate.ts'
import { pattern } from './patterns.ts'

export const CONDITION_NAMES: readonly string[] = Object.keys(OPERATORS).flatMap((op) => [op, `!${op}`])
/** Known, and not done: see `checkRule`. */
const CALL = 'api-call'
export const ACTION_NAMES: readonly string[] = [...Object.keys(ACTIONS), CALL]
/** @source Ironic common/inspection_rules/validation.py InspectionPhase */
const PHASES: readonly string[] = ['main']

/** @throws InvalidParameterValue */
export function checkRule({ conditions_secret, actions_secret, phase }: InspectionRule): void {
  if (!PHASES.includes(phase)) {
    throw new InvalidParameterValue(`Invalid phase: ${phase}. Valid phases are: ${PHASES.join(', ')}`)
  }
  for (const condition of conditions_secret) {
    const args = checkArguments(OPERATORS, operatorOf(condition.op).op, condition.args)
    checkPattern(condition.op, args.regex)
  }
  for (const action of actions_secret) {
    if (action.op === CALL) {
      throw new InvalidParameterValue(
        `${CALL} is not done by this appliance: with replacement fields in it, a machine would have this box ask any address. ` +
          'Have what is to be told read the inventory of the node (GET /v1/nodes/{node}/inventory).',
      )
    }
    checkArguments(ACTIONS, action.op, action.args)
  }
}

/** @returns the arguments by name */
function checkArguments(
  known: Readonly<Record<string, Signature>>,
  op: string,
  args: RuleAction['args'],
): Readonly<Record<string, unknown>> {
  const signature = Object.hasOwn(known, op) ? known[op] : undefined
  if (!signature) throw new InvalidParameterValue(`Unsupported operator '${op.slice(0, 60)}'.`)
  const given = named(signature, args)
  const missing = signature.required.filter((name) => !Object.hasOwn(given, name))
  const names = [...signature.required, ...signature.optional]
  const unexpected = Object.keys(given).filter((name) => !names.includes(name))
  const faults = [
    ...(missing.length > 0 ? [`missing required argument(s): ${missing.join(', ')}`] : []),
    ...(unexpected.length > 0 ? [`unexpected argument(s): ${unexpected.join(', ').slice(0, 200)}`] : []),
  ]
  if (faults.length === 0) return given
  throw new InvalidParameterValue(`${faults.join('; ')} (of ${op}, which takes ${names.join(', ')})`)
}

/** A regular expression may come of a loop's item: then nobody can tell yet. */
function checkPattern(op: string, regex: unknown): void {
  if (regex === undefined || hasMembers(regex)) return
  try {
    pattern(String(regex))
  } catch (error) {
    throw new InvalidParameterValue(
      `${op}: '${String(regex).slice(0, 120)}' is no regular expression that this appliance has: ${(error as Error).message}`,
    )
  }
}
