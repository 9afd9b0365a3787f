/** What a client already has, and which bytes it wants. @source RFC 9110 sections 13 and 14 */
import type { IncomingHttpHeaders } from 'node:http'

/** `end` is the last byte. */
export type Range = { start: number; end: number }

/**
 * The one range of bytes that a GET asks for. RFC 9110 section 14.2 lets a server ignore what it does not take: several
 * ranges, another unit, a range that ends before it starts (section 14.1.1 calls that invalid).
 * @param etag  strong, with its quotes: If-Range must name it (section 13.1.5)
 * @returns undefined: send the whole; 'unsatisfiable': answer 416
 */
export function rangeOf(
  headers: IncomingHttpHeaders,
  { size_bytes, etag }: { size_bytes: number; etag: string },
): Range | 'unsatisfiable' | undefined {
  const [, first = '', last = ''] = /^\s*bytes=(\d{0,15})-(\d{0,15})\s*$/i.exec(headers.range ?? '') ?? []
  if (first === '' && last === '') return undefined
  if (headers['if-range'] !== undefined && headers['if-range'] !== etag) return undefined
  if (first === '') return lastBytes(Number(last), size_bytes)
  const start = Number(first)
  if (last !== '' && Number(last) < start) return undefined
  if (start >= size_bytes) return 'unsatisfiable'
  return { start, end: last === '' ? size_bytes - 1 : Math.min(Number(last), size_bytes - 1) }
}

/** The last bytes of nothing are nothing: no Content-Range can say that, so the whole is sent. */
function lastBytes(count: number, size_bytes: number): Range | 'unsatisfiable' | undefined {
  if (count === 0) return 'unsatisfiable'
  return size_bytes === 0 ? undefined : { start: Math.max(0, size_bytes - count), end: size_bytes - 1 }
}

/**
 * The opaque tags that If-Match or If-None-Match names, without quotes, which some clients leave out. Weak tags count
 * as strong ones (section 13.1.2).
 */
export const tagsOf = (header: string): readonly string[] => header.split(',').map((tag) => opaque(tag.trim()))
const opaque = (tag: string) => tag.replace(/^W\//, '').replace(/^"|"$/g, '')

/** Whether If-None-Match says that the client has it: the answer is 304. */
export function isKnown({ 'if-none-match': header }: IncomingHttpHeaders, etag: string): boolean {
  if (header === undefined) return false
  return header.trim() === '*' || tagsOf(header).includes(opaque(etag))
}
