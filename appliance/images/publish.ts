/** An entry of the image cache, found or made, and a node's link to it. Knows no source and no format. */
import type { Log } from '../log.ts'
import type { Cache } from './cache/cache.ts'
import type { Entry, EntryRecord } from './cache/entry.ts'
import type { Flights, Waiter } from './cache/flights.ts'
import type { Links } from './cache/links.ts'
import type { ImageRequest } from './images.ts'

export type Making = {
  /** Left out: the node's image. */
  link?: string
  /** Who waits for the same key from elsewhere does not depend on this one. */
  from: string
  /** Fills the folder of a cache entry. */
  make(folder: string, flight: Waiter): Promise<EntryRecord>
  /** What concerns this node alone. @throws ImageUnacceptable */
  check?(entry: Entry): void
}
type Asking = Pick<ImageRequest, 'node_uuid' | 'signal' | 'progress'>
type Parts = { cache: Cache; links: Links; flights: Flights<Entry>; log: Log }

/** @returns finds the entry of a key in the cache, or makes it: once, however many ask. The link is there then. */
export function createPublish({ cache, links, flights, log }: Parts) {
  return async (key: string, request: Asking, what: Making): Promise<Entry> => {
    using _held = cache.hold(key)
    const entry = await flights.join(`${key} ${what.from}`, request, async (flight) => {
      const cached = await cache.find(key)
      if (cached) return cached
      const started = performance.now()
      const made = await cache.add(key, (folder) => what.make(folder, flight))
      const duration_s = Math.round(performance.now() - started) / 1000
      const { source, detected, size_bytes, variants } = made
      log.info('image cached', { key, source, detected, size_bytes, duration_s, variants })
      return made
    })
    what.check?.(entry)
    request.signal.throwIfAborted()
    await links.set(what.link ?? request.node_uuid, key)
    return entry
  }
}
