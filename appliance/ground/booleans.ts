/** Truth in the words of configuration files, clients and node fields. */

/** @source oslo.utils strutils.TRUE_STRINGS and FALSE_STRINGS */
const TRUE: ReadonlySet<string> = new Set(['1', 't', 'true', 'on', 'y', 'yes'])
const FALSE: ReadonlySet<string> = new Set(['0', 'f', 'false', 'off', 'n', 'no'])

/**
 * A boolean, or the word for one in any case: clients send "True", 1 and "yes".
 * @returns undefined  the value is no boolean
 * @source oslo.utils strutils.bool_from_string(strict=True)
 */
export function readBoolean(value: unknown): boolean | undefined {
  if (!['boolean', 'string', 'number'].includes(typeof value)) return undefined
  const word = String(value).trim().toLowerCase()
  return TRUE.has(word) ? true : FALSE.has(word) ? false : undefined
}
