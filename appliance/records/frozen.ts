/** Makes values fit for the store: plain JSON, copied from whoever gave them, frozen to the bottom. */

import { parseExact } from '@appliance/ground/exact-number'
import { InvalidParameterValue } from '../errors.ts'

/** Deeper than any real record; a hostile one must not exhaust the stack of whoever walks it. */
const DEPTH_LIMIT = 64

/** What comes back after a restart is exactly what this returns: no undefined, no dates, nobody else's references. */
export function frozenCopy<T extends object>(value: T): T {
  checkDepth(value, DEPTH_LIMIT)
  return deepFreeze(parseExact(JSON.stringify(value)) as T)
}

/** Most fields of most records are empty. One object stands for all of them: frozen, they cannot be told apart. */
const EMPTY_OBJECT = Object.freeze({})
const EMPTY_LIST = Object.freeze([])

/** Freezes the value itself, and all that it holds. */
export function deepFreeze<T extends object>(value: T): T {
  if (Object.isFrozen(value)) return value
  for (const [key, item] of Object.entries(value)) {
    if (item === null || typeof item !== 'object') continue
    const frozen = emptyFor(item) ?? deepFreeze(item)
    if (frozen !== item) (value as Record<string, unknown>)[key] = frozen
  }
  return Object.freeze(value)
}

function emptyFor(value: object): object | undefined {
  if (Array.isArray(value)) return value.length === 0 ? EMPTY_LIST : undefined
  return Object.getPrototypeOf(value) === Object.prototype && Object.keys(value).length === 0 ? EMPTY_OBJECT : undefined
}

function checkDepth(value: object, left: number): void {
  if (left === 0) throw new InvalidParameterValue(`Values may be nested at most ${DEPTH_LIMIT} levels deep.`)
  for (const item of Object.values(value)) if (item !== null && typeof item === 'object') checkDepth(item, left - 1)
}
