/**
 * Makes the gzip form of an image in the background, once a client has asked for gzip: stock agents do, and ours takes
 * zstd.
 */
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { sync, unfinishedName } from '@appliance/ground/files'
import { messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'
import type { Cache } from '../cache/cache.ts'
import { type Entry, fileOf, writeEntry } from '../cache/entry.ts'
import { compress } from '../format/compress.ts'

export type GzipMaker = {
  /** At once; one image at a time, and each once for as long as the appliance runs. */
  make(entry: Entry): void
  /** When nothing is under way. */
  settled(): Promise<void>
  close(): Promise<void>
}

export function createGzipMaker(cache: Pick<Cache, 'folder' | 'hold' | 'watchRoom'>, log: Log): GzipMaker {
  const stop = new AbortController()
  const begun = new Set<string>()
  let last: Promise<void> = Promise.resolve()

  async function makeGzip(entry: Entry): Promise<void> {
    using _held = cache.hold(entry.key)
    stop.signal.throwIfAborted()
    // Where an appliance that starts looks for what was left unfinished.
    const fresh = join(cache.folder, unfinishedName())
    try {
      const { key: _key, folder, ...record } = entry
      const started = performance.now()
      const job = { from: fileOf(folder, 'identity'), to: fresh, size_bytes: entry.size_bytes, shown: entry.source }
      using room = cache.watchRoom(`The gzip form of image ${entry.source}`)
      const signal = AbortSignal.any([stop.signal, room.signal])
      const variant = await compress({ encoding: 'gzip', ...job, signal })
      if (!variant) return
      await sync(fresh)
      await rename(fresh, fileOf(folder, 'gzip'))
      await writeEntry(folder, { ...record, variants: [...record.variants, variant] })
      const duration_s = Math.round(performance.now() - started) / 1000
      log.info('image compressed for stock agents', { key: entry.key, size_bytes: variant.size_bytes, duration_s })
    } finally {
      await rm(fresh, { force: true })
    }
  }

  return {
    make(entry) {
      if (entry.format !== 'raw' || begun.has(entry.key) || stop.signal.aborted) return
      begun.add(entry.key)
      last = last
        .then(() => makeGzip(entry))
        .catch((error) => {
          // Served uncompressed then, as before.
          if (!stop.signal.aborted) log.warn('image not compressed', { key: entry.key, why: messageOf(error) })
        })
    },
    settled: () => last,
    async close() {
      stop.abort(new Error('the appliance stops'))
      await last
    },
  }
}
