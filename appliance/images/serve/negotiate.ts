/** What a client wants of a file: which encoding, which bytes. @source RFC 9110 sections 12.5.3, 13.1, 14 */
import type { IncomingHttpHeaders } from 'node:http'

/** What each coding is worth to the client, from Accept-Encoding; 0 is no. */
type Wishes = ReadonlyMap<string, number>

function wishesOf(header: string | undefined): Wishes {
  const items = (header ?? '').toLowerCase().split(',', 32)
  return new Map(
    items.map((item) => {
      const [name = '', ...parameters] = item.split(';').map((part) => part.trim())
      const q = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
      const weight = q === undefined ? 1 : Number(q)
      return [name === 'x-gzip' ? 'gzip' : name, weight >= 0 && weight <= 1 ? weight : 0]
    }),
  )
}

export type Choice = { encoding: 'identity' | 'zstd' | 'gzip'; wantsGzip: boolean }

/** zstd and gzip only for who names them: `*` may come from a client that cannot unpack what it gets. */
export function chooseEncoding(header: string | undefined, offered: readonly ('zstd' | 'gzip')[]): Choice {
  const wishes = wishesOf(header)
  const [zstd, gzip] = [wishes.get('zstd') ?? 0, wishes.get('gzip') ?? 0]
  // Between equals the smaller one; identity only when it is liked better.
  const plain = wishes.get('identity') ?? 0
  const order = [{ encoding: 'zstd', weight: zstd } as const, { encoding: 'gzip', weight: gzip } as const].sort(
    (a, b) => b.weight - a.weight,
  )
  const best = order.find(({ encoding, weight }) => weight > 0 && weight >= plain && offered.includes(encoding))
  return { encoding: best?.encoding ?? 'identity', wantsGzip: zstd === 0 && gzip > 0 && gzip >= plain }
}

/** `end` is the last byte. */
export type Range = { start: number; end: number }

/**
 * One range of bytes. Several at once, or what is not understood, is answered whole, as the standard lets us.
 * @returns 'unsatisfiable'  answer 416
 */
export function rangeOf(
  headers: IncomingHttpHeaders,
  size_bytes: number,
  etag: string,
): Range | undefined | 'unsatisfiable' {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(headers.range?.trim() ?? '') ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined
  const condition = headers['if-range']
  if (condition !== undefined && condition !== etag) return undefined
  if (first === '') {
    const count = Number(last)
    return count === 0 ? 'unsatisfiable' : { start: Math.max(0, size_bytes - count), end: size_bytes - 1 }
  }
  const start = Number(first)
  if (last !== '' && Number(last) < start) return undefined
  if (start >= size_bytes) return 'unsatisfiable'
  return { start, end: last === '' ? size_bytes - 1 : Math.min(Number(last), size_bytes - 1) }
}

/** If-None-Match: the client has it already. */
export function isKnown(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  return header.trim() === '*' || header.split(',', 64).some((item) => item.trim().replace(/^W\//, '') === etag)
}
