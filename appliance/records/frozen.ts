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

export function deepFreeze<T extends object>(value: T): T {
  for (const item of Object.values(value)) {
    if (item !== null && typeof item === 'object' && !Object.isFrozen(item)) deepFreeze(item)
  }
  return Object.freeze(value)
}

function checkDepth(value: object, left: number): void {
  if (left === 0) throw new InvalidParameterValue(`Values may be nested at most ${DEPTH_LIMIT} levels deep.`)
  for (const item of Object.values(value)) if (item !== null && typeof item === 'object') checkDepth(item, left - 1)
}
