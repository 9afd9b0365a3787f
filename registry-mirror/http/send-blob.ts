/** Sends part of a blob: reads one large piece while the other is on its way. The default streams are a fifth as fast. */
import type { ServerResponse } from 'node:http'
import type { BlobReader } from '../storage/blobs.ts'
import type { Range } from './conditions.ts'
import { type Part, PIECE_BYTES, Pieces, type SharedBlob } from './pieces.ts'

/** Kept between transfers: fresh memory costs more than what is copied into it. */
const SPARE_LIMIT = 16

/** Buffers of transfers that have ended, for the next ones, and those that transfers share. */
export class Buffers {
  readonly #spare: Buffer[] = []
  readonly pieces = new Pieces(this)
  take(): Buffer {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES)
  }
  giveBack(buffer: Buffer): void {
    if (buffer.length === PIECE_BYTES && this.#spare.length < SPARE_LIMIT) this.#spare.push(buffer)
  }
}

type Sending = { range: Range; buffers: Buffers; onBytes: (bytes: number) => void }
/** What comes next, behind so many bytes. */
type Source = { at(done: number): Promise<Part>; end(isWhole: boolean): void }

/** @returns bytes that were sent: fewer than asked for when the client went away, or the blob ends early */
export async function sendBlob(
  blob: BlobReader,
  response: ServerResponse,
  { range, buffers, onBytes }: Sending,
): Promise<number> {
  const total = range.end - range.start + 1
  const source = isShared(blob) && total > PIECE_BYTES ? shared(blob, range, buffers) : own(blob, range, buffers)
  const next = (done: number) => {
    if (done >= total) return undefined
    const part = source.at(done)
    // It may fail before anybody waits for it; who waits for it hears of it all the same.
    part.catch(() => {})
    return part
  }
  let done = 0
  let coming = next(0)
  try {
    while (coming !== undefined) {
      const part = await coming
      coming = undefined
      const { length } = part.bytes
      const sent = length > 0 && write(response, part.bytes)
      if (sent) coming = next(done + length)
      const isSent = await sent
      part.release(isSent || length === 0)
      if (!isSent) break
      done += length
      onBytes(length)
    }
  } finally {
    // The blob may be closed only when nobody reads it; what that read brings is not wanted any more.
    const unwanted = await coming?.catch(() => undefined)
    unwanted?.release(true)
    source.end(done === total)
  }
  return done
}

const isShared = (blob: BlobReader): blob is BlobReader & SharedBlob => blob.identity !== undefined

function shared(blob: SharedBlob, { start, end }: Range, { pieces }: Buffers): Source {
  pieces.join(blob.identity)
  return {
    at: (done) => pieces.take(blob, start + done, end + 1 - start - done),
    end: () => pieces.leave(blob.identity),
  }
}

/** Of a small blob, or one that is still coming. */
function own(blob: BlobReader, { start, end }: Range, buffers: Buffers): Source {
  const total = end - start + 1
  const two = total > PIECE_BYTES ? [buffers.take(), buffers.take()] : [Buffer.allocUnsafe(total)]
  let turn = 0
  return {
    async at(done) {
      const which = turn++ % 2
      // Of a small blob that is still coming, part of it may be all there is.
      two[which] ??= Buffer.allocUnsafe(total)
      const buffer = two[which] as Buffer
      const length = await blob.read(buffer, Math.min(buffer.length, total - done), start + done)
      return { bytes: buffer.subarray(0, length), release: () => {} }
    },
    end(isWhole) {
      // Of a transfer that broke off, the system may still hold them.
      if (isWhole) for (const buffer of two) buffers.giveBack(buffer)
    },
  }
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
