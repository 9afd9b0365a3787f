/** What rules see that are not to see secrets. */
import { hasMembers } from '@appliance/ground/exact-number'
import { isSecretMember } from '@appliance/ground/secret-words'

/** As Ironic's. */
export const MASK = '***'
/** @source Ironic common/inspection_rules/engine.py SENSITIVE_FIELDS; the house's own list has them all but these */
const SENSITIVE: readonly string[] = ['password', 'auth_token', 'bmc_password']

/** A deep copy. What it is given came in as JSON, which is metered: it is not deep. */
export function masked<T>(value: T): T {
  return mask(value) as T
}

function mask(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(mask)
  if (!hasMembers(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      SENSITIVE.includes(key) || isSecretMember(key, item) ? MASK : mask(item),
    ]),
  )
}
