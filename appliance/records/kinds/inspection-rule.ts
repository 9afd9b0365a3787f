/** Inspection rules: what is done to a node whose inspection has found what the rule's conditions ask for. */
import type { Json } from '../../plugin-api/index.ts'
import type { Base, Kind } from '../kind.ts'

/** Once for each item of a list; a table is one item. */
type RuleLoop = readonly unknown[] | Json

export type RuleCondition = {
  /** An operator; `!` before it turns it round. */
  op: string
  /** By name, or in the order of the operator's arguments. */
  args: Json | readonly unknown[]
  loop?: RuleLoop
  /** Which items of the loop count. */
  multiple?: 'any' | 'all' | 'first' | 'last'
}
export type RuleAction = Omit<RuleCondition, 'multiple'>

export type InspectionRule = Base & {
  description: string | null
  /** Greater ones go first. */
  priority: number
  phase: string
  /** Nobody is shown its conditions and actions again. */
  sensitive: boolean
  /** By their names encrypted on the disk: a value may be a password, whatever its key. */
  conditions_secret: readonly RuleCondition[]
  actions_secret: readonly RuleAction[]
}

/** The row of inspection rules. The noun is Ironic's. */
export const INSPECTION_RULES: Kind<InspectionRule, never, never> = {
  noun: 'Rule',
  defaults: {
    description: null,
    priority: 0,
    phase: 'main',
    sensitive: false,
    conditions_secret: [],
    actions_secret: [],
  },
  unique: {},
}
