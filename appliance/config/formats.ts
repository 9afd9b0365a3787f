/** Checks how a text has to look beyond its type. Tables of options name one of these as `format`. */
import { isIPv4 } from 'node:net'
import { isAbsolute } from 'node:path'
import { parseNetwork } from '@appliance/ground/networks'
import type { Option } from '../plugin-api/index.ts'
import type { Value } from './values.ts'

type Format = NonNullable<Extract<Option, { type: 'string' }>['format']>
type Check = (text: string) => string | undefined

const isBoolean = (text: string) => /^(true|false|1|0|on|off|yes|no)$/i.test(text)
const ABSOLUTE = 'expected an absolute path (one that begins with /)'

const CHECKS: Readonly<Record<Format, Check>> = {
  path: (text) => (isAbsolute(text) ? undefined : `${ABSOLUTE}, found "${text}"`),
  'path or boolean': (text) =>
    isAbsolute(text) || isBoolean(text)
      ? undefined
      : `expected True, False, or an absolute path (one that begins with /), found "${text}"`,
  url: (text) => (isWebUrl(text) ? undefined : `expected a URL with http:// or https:// in front, found "${text}"`),
  network: (text) =>
    parseNetwork(text)
      ? undefined
      : `expected networks, e.g. 192.168.50.0/24 or fd00::/8, or addresses, found "${text}"`,
  'IPv4 address': (text) =>
    isIPv4(text) ? undefined : `expected IPv4 addresses, e.g. 192.168.50.254, found "${text}"`,
}

function isWebUrl(text: string): boolean {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) return false
  return new URL(text).hostname !== ''
}

/** @returns what is wrong, as the second half of a sentence */
export function problemOfFormat(option: Option, value: Value | undefined): string | undefined {
  if ((option.type !== 'string' && option.type !== 'list') || option.format === undefined) return undefined
  const check = CHECKS[option.format]
  const texts = Array.isArray(value) ? value : value === undefined || value === '' ? [] : [String(value)]
  for (const text of texts) {
    const problem = check(text)
    if (problem !== undefined) return problem
  }
  return undefined
}
