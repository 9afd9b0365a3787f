/** The operators of conditions, as Ironic has them. @source Ironic common/inspection_rules/operators.py */

import { isIP } from 'node:net'
import { hasMembers } from '@appliance/ground/exact-number'
import { networksOf } from '@appliance/ground/networks'
import { isSame } from './effects.ts'
import { matchesAtStart, pattern } from './patterns.ts'
import { pythonText } from './python-format.ts'

export type Arguments = Readonly<Record<string, unknown>>
/** `formatted`: the arguments whose replacement fields count; in a loop those of all do. */
export type Signature = { required: readonly string[]; optional: readonly string[]; formatted: readonly string[] }
export type Operator = Signature & { holds(args: Arguments): boolean }

const values = (holds: (a: unknown, b: unknown) => boolean): Operator => ({
  ...{ required: ['values'], optional: ['force_strings'], formatted: ['values'] },
  holds({ values: given, force_strings }) {
    if (!Array.isArray(given)) throw new Error(`expected a list for 'values', got ${pythonText(given).slice(0, 80)}`)
    const items = force_strings ? given.map(pythonText) : given
    return items.every((item, index) => index === 0 || holds(items[index - 1], item))
  },
})

const value = (holds: (value: unknown) => boolean): Operator => ({
  ...{ required: ['value'], optional: [], formatted: ['value'] },
  holds: ({ value: given }) => holds(given),
})

const regex = (holds: (regex: string, text: string) => boolean): Operator => ({
  ...{ required: ['value', 'regex'], optional: [], formatted: ['value'] },
  holds: ({ value: given, regex: python }) => holds(String(python), pythonText(given)),
})

export const OPERATORS: Readonly<Record<string, Operator>> = {
  eq: values(isSame),
  lt: values((a, b) => order(a, b) < 0),
  gt: values((a, b) => order(a, b) > 0),
  'is-empty': value((given) => ['', 'None', '[]', '{}'].includes(pythonText(given))),
  'in-net': {
    ...{ required: ['address', 'subnet'], optional: [], formatted: ['address', 'subnet'] },
    holds({ address, subnet }) {
      const text = pythonText(address).trim()
      if (isIP(text) === 0) throw new Error(`'${text.slice(0, 80)}' is no IP address`)
      return networksOf([pythonText(subnet)]).has(text)
    },
  },
  matches: regex((python, text) => matchesAtStart(python.endsWith('$') ? python : `${python}$`, text)),
  contains: regex((python, text) => pattern(python).test(text)),
  'one-of': {
    ...{ required: ['value'], optional: ['values'], formatted: ['value'] },
    holds({ value: given, values: wanted = [] }) {
      if (typeof wanted === 'string') return wanted.includes(pythonText(given))
      if (!hasMembers(wanted)) throw new Error(`expected a list for 'values', got ${pythonText(wanted).slice(0, 80)}`)
      return (Array.isArray(wanted) ? wanted : Object.keys(wanted)).some((item) => isSame(item, given))
    },
  },
  'is-none': value((given) => given === null),
  'is-true': value((given) => truth(given, ['yes', 'true'])),
  'is-false': value((given) => given === null || (!truth(given, []) && isFalsehood(given))),
}

function truth(given: unknown, words: readonly string[]): boolean {
  if (typeof given === 'string') return words.includes(given.toLowerCase())
  return typeof given === 'boolean' || typeof given === 'number' ? Boolean(given) : false
}

const isFalsehood = (given: unknown): boolean =>
  typeof given === 'string' ? ['no', 'false'].includes(given.toLowerCase()) : !hasMembers(given)

/** @throws Error  Python has no order between them */
function order(a: unknown, b: unknown): number {
  const [left, right] = [numberOf(a), numberOf(b)]
  if (left !== undefined && right !== undefined) return left - right
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0
  if (Array.isArray(a) && Array.isArray(b)) {
    const first = a.findIndex((item, index) => index >= b.length || !isSame(item, b[index]))
    return first < 0 || first >= b.length ? a.length - b.length : order(a[first], b[first])
  }
  throw new Error(
    `${pythonText(a).slice(0, 80)} and ${pythonText(b).slice(0, 80)} have no order: they are of two kinds`,
  )
}

const numberOf = (value: unknown): number | undefined =>
  typeof value === 'number' || typeof value === 'boolean' ? Number(value) : undefined
