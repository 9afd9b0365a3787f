/**
 * Evaluates the rules of one inspection: which conditions hold, and what the actions of those do. Runs in a process
 * apart, for expressions that never end and data that a machine made up. Changes nothing; see apply-rules.ts.
 */
import type { ApartGiven } from '@appliance/ground/apart'
import type { Json } from '../../plugin-api/index.ts'
import type { InspectionRule, RuleAction, RuleCondition } from '../../records/kinds/inspection-rule.ts'
import { ACTIONS, RuleFailure, type Seen } from './actions.ts'
import { type Arguments, OPERATORS, type Signature } from './conditions.ts'
import { type Effect, edited } from './effects.ts'
import { masked } from './masked.ts'
import { type Context, formatted, NoSuchField } from './python-format.ts'

/** What a rule sees: masked for one that is not to see secrets. */
export type View = { node: Json; ports: Readonly<Record<string, Json>>; inventory: Json; plugin_data: Json }
export type Evaluated = {
  effects: readonly Effect[]
  /** Uuids of the rules whose conditions held. */
  applied: readonly string[]
  /** Replacement fields that led nowhere, and stayed as they are. */
  unresolved: readonly string[]
  /** Why it went no further; null: it went to the end. */
  failure: { rule: string; reason: string } | null
}
export type Rule = Pick<InspectionRule, 'uuid' | 'sensitive' | 'conditions_secret' | 'actions_secret'>
export type Order = { rules: readonly Rule[]; masks: 'always' | 'never' | 'sensitive' }

const EFFECTS_LIMIT = 10_000
const UNRESOLVED_LIMIT = 20

/** Masks here as well: a report of many megabytes is copied in no process that others wait for. */
export function act({ rules, masks }: Order, { input }: ApartGiven): Evaluated {
  const open = JSON.parse(input.toString()) as View
  const hidden = masked(open)
  return evaluate(rules, (rule) => (masks === 'never' || (masks === 'sensitive' && rule.sensitive) ? open : hidden))
}

/** @param viewFor  one object for all rules that see the same: what one rule changes, the next sees */
export function evaluate(rules: readonly Rule[], viewFor: (rule: Rule) => View): Evaluated {
  const effects: Effect[] = []
  const applied: string[] = []
  const unresolved: string[] = []
  for (const rule of rules) {
    const run = new Run(new Set([viewFor(rule), ...rules.map(viewFor)]), unresolved)
    try {
      if (!rule.conditions_secret.every((condition) => run.holds(condition))) continue
      applied.push(rule.uuid)
      for (const action of rule.actions_secret) run.take(action, effects)
    } catch (error) {
      return { effects, applied, unresolved, failure: { rule: rule.uuid, reason: reasonOf(error) } }
    }
  }
  return { effects, applied, unresolved, failure: null }
}

/** @source Ironic common/exception.py HardwareInspectionFailure, InspectionRuleExecutionFailure */
const reasonOf = (error: unknown): string =>
  error instanceof RuleFailure
    ? `Failed to inspect hardware. Reason: ${error.message}`
    : `Inspection rule execution failed. Reason: ${(error as Error).message}`

class Run {
  readonly #view: View
  readonly #views: ReadonlySet<View>
  readonly #unresolved: string[]

  /** @param views  the first is what the rule sees; edits go to all */
  constructor(views: ReadonlySet<View>, unresolved: string[]) {
    const [view] = views
    if (!view) throw new Error('no view')
    this.#view = view
    this.#views = views
    this.#unresolved = unresolved
  }

  holds(condition: RuleCondition): boolean {
    const { op, isInverted } = operatorOf(condition.op)
    const operator = OPERATORS[op]
    if (!operator) throw new Error(`Unsupported operator: '${op}'`)
    const once = (item?: Item) => {
      const args = this.#arguments(operator, condition, { op, item })
      const isForced = item !== undefined && operator.optional.includes('force_strings')
      return operator.holds(isForced ? { ...args, force_strings: true } : args) !== isInverted
    }
    const items = itemsOf(condition.loop)
    if (!items) return once()
    const { multiple = 'any' } = condition
    if (multiple === 'all') return items.every(once)
    if (multiple === 'last') return items.map(once).at(-1) ?? false
    return items.some(once)
  }

  take(action: RuleAction, effects: Effect[]): void {
    const known = ACTIONS[action.op]
    if (!known) throw new Error(`Unsupported action: '${action.op}'`)
    for (const item of itemsOf(action.loop) ?? [undefined]) {
      if (effects.length >= EFFECTS_LIMIT) throw new Error(`the rules do more than ${EFFECTS_LIMIT} things`)
      const args = this.#arguments(known, action, { op: action.op, item })
      const effect = this.#tried(action.op, () => {
        const done = known.effect(args, this.#seen())
        this.#change(done)
        return done
      })
      effects.push(effect)
    }
  }

  #seen(): Seen {
    return { node: this.#view.node, ports: Object.keys(this.#view.ports) }
  }

  #tried<T>(op: string, work: () => T): T {
    try {
      return work()
    } catch (error) {
      if (error instanceof RuleFailure) throw error
      throw new Error(`${op}: ${(error as Error).message}`, { cause: error })
    }
  }

  #change(effect: Effect): void {
    if (!('edit' in effect)) return
    for (const view of this.#views) {
      try {
        if (effect.on === 'node') view.node = edited(view.node, effect.edit)
        else if (effect.on === 'plugin_data') view.plugin_data = edited(view.plugin_data, effect.edit)
        else view.ports = { ...view.ports, [effect.port]: edited(view.ports[effect.port] ?? {}, effect.edit) }
      } catch (error) {
        // Where another rule sees a mask, there is nothing to edit.
        if (view === this.#view) throw error
      }
    }
  }

  /** An item of a loop is what the rule says: its own fields are filled in first, and what comes of data is not. */
  #arguments(signature: Signature, { args }: Pick<RuleAction, 'args'>, o: { op: string; item?: Item | undefined }) {
    const { node, inventory, plugin_data } = this.#view
    const values: Json = { node, inventory, plugin_data }
    const attributes = new Set(['node'])
    const fill = (value: unknown, context: Context) => this.#filled(value, context, o.op)
    const item = o.item && fill(o.item.value, { values, attributes })
    const context = { values: o.item ? { ...values, item } : values, attributes }
    return Object.fromEntries(
      Object.entries(named(signature, args)).map(([name, value]) => [
        name,
        o.item || signature.formatted.includes(name) ? fill(value, context) : value,
      ]),
    )
  }

  #filled(value: unknown, context: Context, op: string): unknown {
    if (typeof value === 'string') return this.#text(value, context, op)
    if (Array.isArray(value)) return value.map((item) => this.#filled(item, context, op))
    if (value === null || typeof value !== 'object') return value
    const entries = Object.entries(value).map(([key, item]) => [
      this.#text(key, context, op) ?? 'None',
      this.#filled(item, context, op),
    ])
    return Object.fromEntries(entries)
  }

  /** What is not there is nothing to `is-empty`; to all others the field stays as it is. @source Ironic base.py */
  #text(text: string, context: Context, op: string): string | null {
    try {
      return formatted(text, context)
    } catch (error) {
      if (!(error instanceof NoSuchField)) throw error
      if (error.isMissing && op === 'is-empty') return null
      if (this.#unresolved.length < UNRESOLVED_LIMIT) this.#unresolved.push(`${text.slice(0, 120)}: ${error.message}`)
      return text
    }
  }
}

type Item = { value: unknown }

/** undefined: it is no loop. A table is one item. */
function itemsOf(loop: RuleCondition['loop']): Item[] | undefined {
  if (loop === undefined || loop === null || Object.keys(loop).length === 0) return undefined
  return Array.isArray(loop) ? loop.map((value) => ({ value })) : [{ value: loop }]
}

export function operatorOf(given: string): { op: string; isInverted: boolean } {
  const op = given.trim()
  return op.startsWith('!') ? { op: op.slice(1).trim(), isInverted: true } : { op, isInverted: false }
}

/** Arguments by name, whether they came so or in order. */
export function named({ required, optional }: Signature, args: RuleAction['args']): Arguments {
  if (!Array.isArray(args)) return args as Arguments
  const names = [...required, ...optional]
  return Object.fromEntries(args.map((value, index) => [names[index] ?? String(index), value]))
}
