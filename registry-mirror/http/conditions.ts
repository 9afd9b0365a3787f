/** RFC 9110: entity tags and ranges. The tag of everything here is its digest. */
import type { IncomingHttpHeaders } from 'node:http'
import { type Digest, parseDigest } from '../digest.ts'
import type { Condition } from '../storage/manifests.ts'

export const etagOf = (digest: string): string => `"${digest}"`

/** RFC 9110 section 13.1.2. */
export function isUnchanged({ 'if-none-match': wanted }: IncomingHttpHeaders, digest: string): boolean {
  if (wanted === undefined) return false
  return wanted.trim() === '*' || tagsOf(wanted).includes(digest)
}

/** RFC 9110 section 13.1.1 and 13.1.2, for a change. */
export function conditionOf({ 'if-match': match, 'if-none-match': none }: IncomingHttpHeaders): Condition | undefined {
  if (match !== undefined) return { is: wantedOf(match) }
  if (none !== undefined) return { isNot: wantedOf(none) }
  return undefined
}

const tagsOf = (header: string) => header.split(',').map((one) => one.trim().replace(/^W\//, '').replace(/^"|"$/g, ''))
const wantedOf = (header: string): readonly Digest[] | 'any' =>
  header.trim() === '*' ? 'any' : tagsOf(header).flatMap((one) => parseDigest(one) ?? [])

export type Range = { start: number; end: number }

/** RFC 9110 section 14.2: what is not understood, or several ranges, may be left unheeded: then the whole is sent. */
export function rangeOf(
  headers: IncomingHttpHeaders,
  digest: string,
  size: number,
): Range | 'unsatisfiable' | undefined {
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(headers.range ?? '') ?? []
  if (first === '' && last === '') return undefined
  if (headers['if-range'] !== undefined && headers['if-range'] !== etagOf(digest)) return undefined
  const start = first === '' ? Math.max(size - Number(last), 0) : Number(first)
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1)
  return start > end ? 'unsatisfiable' : { start, end }
}
