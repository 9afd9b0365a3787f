/** Turns the text of an option into its value, or into a sentence about what is wrong. */
import { readBoolean } from '@appliance/ground/booleans'
import type { Option } from '../plugin-api/index.ts'

export type Value = string | number | boolean | readonly string[]
export type Parsed = { value: Value } | { problem: string }

export function parseValue(option: Option, text: string): Parsed {
  switch (option.type) {
    case 'boolean': {
      const value = readBoolean(text)
      return value === undefined ? { problem: `expected true or false, found "${text}"` } : { value }
    }
    case 'integer':
      return parseInteger(option, text)
    case 'list':
      return { value: splitList(option, text) }
    case 'string':
      return !option.choices || option.choices.includes(text)
        ? { value: text }
        : { problem: `expected ${oneOf(option.choices)}, found "${text}"` }
  }
}

/** It is one of a few words, and so no secret, whatever the option is called. */
export const hasChoices = (option: Option): boolean => option.type === 'string' && option.choices !== undefined

function parseInteger(option: Extract<Option, { type: 'integer' }>, text: string): Parsed {
  const { min, max, unit } = option
  const value = /^[+-]?\d+(\.0+)?$/.test(text) ? Number(text) : Number.NaN
  if (Number.isSafeInteger(value) && value >= (min ?? value) && value <= (max ?? value)) return { value }
  const range = max !== undefined ? ` from ${min ?? 'any'} to ${max}` : min !== undefined ? ` of at least ${min}` : ''
  return { problem: `expected a whole number${range}${unit ? ` (${unit})` : ''}, found "${text}"` }
}

function splitList({ separator = ',' }: Extract<Option, { type: 'list' }>, text: string): readonly string[] {
  return text
    .split('\n')
    .flatMap((line) => line.split(separator))
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

const oneOf = (choices: readonly string[]) =>
  choices.length === 1 ? `"${choices[0]}"` : `one of ${choices.join(', ')}`

/** The text of a value in the file; empty for an option without a value. */
export function renderValue(option: Option, value: Value | undefined): string {
  if (value === undefined) return ''
  if (option.type === 'list') return (value as readonly string[]).join(option.separator === ';' ? '; ' : ',')
  if (option.type === 'boolean') return value ? 'True' : 'False'
  return String(value)
}
