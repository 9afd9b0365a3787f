/** A client that writes back what it was shown means the secret it was not shown: `******` never goes over one. */
import { hasMembers } from '@appliance/ground/exact-number'
import { isSecretKey, MASK } from '../../../log.ts'
import type { Json } from '../../../plugin-api/index.ts'

/** @param hidden  keys that are masked beside the secret-looking ones */
export const withSecretsKept =
  (hidden: readonly string[] = []) =>
  (before: unknown, given: unknown): unknown =>
    kept(before, given, (key) => isSecretKey(key) || hidden.includes(key))

function kept(before: unknown, after: unknown, isHidden: (key: string) => boolean): unknown {
  if (!isObject(before) || !isObject(after)) return after
  const entries = Object.entries(after).map(([key, value]): [string, unknown] => {
    const was = Object.hasOwn(before, key) ? before[key] : undefined
    return [key, value === MASK && was !== undefined && isHidden(key) ? was : kept(was, value, isHidden)]
  })
  return Array.isArray(after) ? entries.map(([, value]) => value) : Object.fromEntries(entries)
}

const isObject = (value: unknown): value is Json => hasMembers(value)
