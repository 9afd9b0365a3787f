/**
 * Kinds of values that requests hold, and one sentence for each that does not fit. Values of secret-looking keys are
 * never repeated.
 */
import { readBoolean } from '@appliance/ground/booleans'
import { hasMembers, plainNumber } from '@appliance/ground/exact-number'
import { DEPTH_LIMIT, isSecretKey } from '@appliance/ground/secret-words'
import { z } from 'zod'
import { InvalidParameterValue, MissingParameterValue } from '../errors.ts'

const isShallow = (value: unknown, left: number): boolean =>
  !hasMembers(value) || (left > 0 && Object.values(value).every((item) => isShallow(item, left - 1)))

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
export const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i
/**
 * RFC 3986 unreserved characters.
 * @source Ironic common/utils.is_valid_logical_name. Dots alone are a way up in a path (section 5.2.4).
 */
const LOGICAL_NAME = /^(?!\.+$)[A-Za-z0-9._~-]{1,255}$/
const FOUND_LIMIT = 60
/** zod's own words, where a schema brings none. */
const NOT_AN_OBJECT = /^Invalid input: expected object, .*/

export const isUuid = (value: unknown): boolean => typeof value === 'string' && UUID.test(value)
export const isLogicalName = (value: unknown): boolean => typeof value === 'string' && LOGICAL_NAME.test(value)

/**
 * A name that records may have or not.
 * @param refusal  begins the message, e.g. `Cannot create portgroup with invalid name`
 * @throws InvalidParameterValue
 */
export function checkLogicalName(name: unknown, refusal: string): void {
  if (typeof name !== 'string' || name === '' || isLogicalName(name)) return
  throw new InvalidParameterValue(`${refusal} '${name.slice(0, 260)}'`)
}

export const text = z.string('expected a string')
export const limitedText = (limit: number) => text.max(limit, `expected at most ${limit} characters`)
export const uuid = text.regex(UUID, 'expected a UUID').transform((value) => value.toLowerCase())
export const ident = text.regex(LOGICAL_NAME, 'expected a UUID or a name')
/** Of a list whose records Ironic looks for by whatever looks like a name. */
export const anyMarker = ident.transform((value) => (UUID.test(value) ? value.toLowerCase() : value))
export const mac = text.regex(MAC, 'expected a valid MAC address').transform((value) => value.toLowerCase())
/** What is nested deeper would be neither shown nor masked whole. */
export const dict = z
  .record(z.string(), z.unknown(), 'expected an object')
  .refine((value) => isShallow(value, DEPTH_LIMIT), `expected at most ${DEPTH_LIMIT} levels of objects and lists in it`)
export const list = <S extends z.ZodType>(item: S) => z.array(item, 'expected a list')

/** A boolean, or its name: clients send "True" and "False" too. @source oslo strutils.bool_from_string, strict */
export const flag = z.unknown().transform((given, context): boolean => {
  const value = plainNumber(given)
  const claim = readBoolean(value)
  if (claim !== undefined) return claim
  context.issues.push({ code: 'custom', input: value, message: 'expected true or false' })
  return z.NEVER
})

/** A whole number, or its digits. */
export const integer = z.unknown().transform((given, context): number => {
  const value = plainNumber(given)
  if (typeof value === 'number' ? Number.isSafeInteger(value) : /^[+-]?\d{1,15}$/.test(String(value)))
    return Number(value)
  context.issues.push({ code: 'custom', input: value, message: 'expected an integer' })
  return z.NEVER
})

/** `a,b,c` of a query. @source Ironic common/args.string_list: lower case, each once */
export const commaList = text.transform((value) => [
  ...new Set(value.split(',').flatMap((item) => item.trim().toLowerCase() || [])),
])

/**
 * @param what  what the value is, for the message: `node`, `port`, ...
 * @throws InvalidParameterValue, MissingParameterValue
 */
export function parse<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const path = (issue?.path ?? []).map(String)
  const found = path.reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], value)
  if (issue?.code === 'unrecognized_keys') {
    throw new InvalidParameterValue(
      `Schema error for ${[what, ...path].join('/')}: Additional properties are not allowed ('${issue.keys.join("', '")}' was unexpected)`,
    )
  }
  if (found === undefined && path.length > 0) {
    throw new MissingParameterValue(`Schema error for ${what}: '${path.join('/')}' is a required property`)
  }
  const name = path.length > 0 ? `${path.join('/')} is` : 'it is'
  throw new InvalidParameterValue(
    `Schema error for ${what}: ${name} ${tell(found, [what, ...path])}: ${issue?.message.replace(NOT_AN_OBJECT, 'expected an object')}`,
  )
}

/** A text in place of the table may be one of its secrets. */
const HOLD_SECRETS: readonly string[] = ['driver_info', 'instance_info', 'extra']

function tell(value: unknown, path: readonly string[]): string {
  if (Array.isArray(value)) return 'a list'
  if (hasMembers(value)) return 'an object'
  if (path.some((name) => isSecretKey(name) || HOLD_SECRETS.includes(name))) return 'a value that is not shown'
  if (typeof value !== 'string') return String(value)
  return value.length > FOUND_LIMIT ? `'${value.slice(0, FOUND_LIMIT)}...'` : `'${value}'`
}
