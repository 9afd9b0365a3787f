/**
 * A client that writes back what it was shown means the secret that it was not shown. Where there was none, a mask is
 * no secret either: it is left out.
 */
import { hasMembers } from '@appliance/ground/exact-number'
import { isNamedSecret, isSecretKey, MASK, maskSecrets, maskText } from '@appliance/ground/secret-words'
import type { Json } from '../../../plugin-api/index.ts'
import { objectField } from '../../fields.ts'
import { dict } from '../../schema.ts'

/** A field that is a table in which secrets are: they are masked, and a mask that is written back keeps them. */
export const secretTable = {
  ...objectField(dict),
  show: (value: unknown) => maskSecrets(value),
  keep: withSecretsKept,
}

export function withSecretsKept(before: unknown, given: unknown): unknown {
  if (Array.isArray(given)) {
    return given.map((item, index) => withSecretsKept(Array.isArray(before) ? before[index] : undefined, item))
  }
  if (!isObject(given)) return textKept(before, given)
  const entries = Object.entries(given).flatMap(([key, value]): [string, unknown][] => {
    const was = isObject(before) && Object.hasOwn(before, key) ? before[key] : undefined
    if (value === MASK && (isSecretKey(key) || isNamedSecret(given, key))) return was === undefined ? [] : [[key, was]]
    return [[key, withSecretsKept(was, value)]]
  })
  return Object.fromEntries(entries)
}

/** Of an address with a password, the password alone was masked. */
const textKept = (before: unknown, given: unknown): unknown =>
  typeof before === 'string' && typeof given === 'string' && given.includes(MASK) && maskText(before) === given
    ? before
    : given

const isObject = (value: unknown): value is Json => hasMembers(value) && !Array.isArray(value)
