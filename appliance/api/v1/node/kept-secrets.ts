/** A client that writes back what it was shown means the secret it was not shown: `******` never goes over one. */
import { hasMembers } from '@appliance/ground/exact-number'
import { isSecretKey, MASK } from '../../../log.ts'
import type { Json } from '../../../plugin-api/index.ts'
import { HIDDEN_INSTANCE_KEYS } from './fields.ts'

/** The fields that are told with masks, and which of their keys are masked. */
const MASKED: Readonly<Record<string, (key: string) => boolean>> = {
  driver_info: isSecretKey,
  instance_info: (key) => isSecretKey(key) || HIDDEN_INSTANCE_KEYS.includes(key),
}

export function withSecretsKept(field: string, before: unknown, after: unknown): unknown {
  const isHidden = MASKED[field]
  return isHidden ? kept(before, after, isHidden) : after
}

function kept(before: unknown, after: unknown, isHidden: (key: string) => boolean): unknown {
  if (!isObject(before) || !isObject(after)) return after
  const entries = Object.entries(after).map(([key, value]): [string, unknown] => {
    const was = Object.hasOwn(before, key) ? before[key] : undefined
    return [key, value === MASK && was !== undefined && isHidden(key) ? was : kept(was, value, isHidden)]
  })
  return Array.isArray(after) ? entries.map(([, value]) => value) : Object.fromEntries(entries)
}

const isObject = (value: unknown): value is Json => hasMembers(value)
