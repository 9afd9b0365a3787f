/**
 * The body of an answer, chunk by chunk: the next one is read while one is on its way. Knows neither files nor
 * headers.
 */
import type { ServerResponse } from 'node:http'

export type Chunk = {
  /** None: there are no more. */
  bytes: Uint8Array
  /** Called once for each chunk. @param isSent  false: the system may still read from its bytes */
  release?(isSent: boolean): void
}
export type ChunkSource = {
  /** @param done  bytes before it */
  at(done: number): Promise<Chunk>
  /** Called once, after the last chunk was released. @param isWhole  all bytes were sent */
  end?(isWhole: boolean): void
}

/** Of the system's own buffers, and of a rack's switch that starts anew. */
const GRACE_MS = 60_000
const LEAST_BYTES_PER_S = 8 * 1024

export type SentChunks = {
  /** Fewer than all when the client went away or was cut, or the source ended early. */
  bytes: number
  /** The client took less than 8 KiB/s, after a minute of grace for each chunk. */
  isTooSlow: boolean
}

/** @param onBytes  told of each chunk that went out. @param grace_ms  for tests */
export async function sendChunks(
  source: ChunkSource,
  total: number,
  response: ServerResponse,
  { onBytes, grace_ms = GRACE_MS }: { onBytes: (bytes: number) => void; grace_ms?: number },
): Promise<SentChunks> {
  const next = (done: number) => {
    if (done >= total) return undefined
    const chunk = source.at(done)
    // It may fail before anybody waits for it; who waits for it hears of it all the same.
    chunk.catch(() => {})
    return chunk
  }
  let done = 0
  let isTooSlow = false
  let coming = next(0)
  try {
    while (coming !== undefined) {
      const chunk = await coming
      coming = undefined
      const { length } = chunk.bytes
      const sent = length > 0 && write(response, chunk.bytes)
      const timer = setTimeout(
        () => {
          isTooSlow = true
          response.destroy()
        },
        grace_ms + (length / LEAST_BYTES_PER_S) * 1000,
      )
      if (sent) coming = next(done + length)
      const isSent = await sent
      clearTimeout(timer)
      chunk.release?.(isSent || length === 0)
      if (!isSent) break
      done += length
      onBytes(length)
    }
  } finally {
    // The source may be closed only when nobody reads it. What that read brings is not wanted any more.
    const unwanted = await coming?.catch(() => undefined)
    unwanted?.release?.(true)
    source.end?.(done === total)
  }
  return { bytes: done, isTooSlow }
}

/** Resolves when the kernel has taken all, or with false when the client went away. */
function write(response: ServerResponse, bytes: Uint8Array): Promise<boolean> {
  if (response.destroyed || response.writableEnded) return Promise.resolve(false)
  return new Promise((resolve) => {
    const gone = () => resolve(false)
    response.once('close', gone)
    response.write(bytes, (error) => {
      response.off('close', gone)
      resolve(!error)
    })
  })
}
