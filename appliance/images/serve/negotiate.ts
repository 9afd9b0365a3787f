/** Which encoding a client wants of a file. @source RFC 9110 section 12.5.3 */

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
