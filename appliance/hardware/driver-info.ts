/** Reads texts of a node's driver_info. Knows no field of it. */
import { hasMembers } from '@appliance/ground/exact-number'
import { InvalidParameterValue } from '../errors.ts'
import type { Json } from '../plugin-api/index.ts'

/**
 * Numbers are welcome: the CLI parses `--driver-info ipmi_password=1234` as JSON.
 * @returns empty: it is not there
 * @throws InvalidParameterValue
 */
export function infoText(info: Json, key: string): string {
  const value = info[key]
  if (value === undefined || value === null) return ''
  if (hasMembers(value)) throw new InvalidParameterValue(`driver_info/${key} is an object: expected a string.`)
  const string = String(value)
  if (/\p{Cc}/u.test(string)) {
    throw new InvalidParameterValue(`driver_info/${key} holds a control character (a line break?): remove it.`)
  }
  return string
}
