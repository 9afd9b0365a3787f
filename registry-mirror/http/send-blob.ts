/** Sends part of a blob: reads one large piece while the other is on its way. The default streams are a fifth as fast. */
import type { ServerResponse } from 'node:http'
import type { BlobReader } from '../storage/blobs.ts'
import type { Range } from './conditions.ts'

const PIECE_BYTES = 512 * 1024
/** Kept between transfers: fresh memory costs more than what is copied into it. */
const SPARE_LIMIT = 32

/** Buffers of transfers that have ended, for the next ones. */
export class Buffers {
  readonly #spare: Buffer[] = []
  take = (): Buffer => this.#spare.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES)
  giveBack(buffer: Buffer): void {
    if (buffer.length === PIECE_BYTES && this.#spare.length < SPARE_LIMIT) this.#spare.push(buffer)
  }
}

type Sending = { range: Range; buffers: Buffers; onBytes: (bytes: number) => void }

/** @returns bytes that were sent: fewer than asked for when the client went away, or the blob ends early */
export async function sendBlob(
  blob: BlobReader,
  response: ServerResponse,
  { range, buffers, onBytes }: Sending,
): Promise<number> {
  const total = range.end - range.start + 1
  const two = total > PIECE_BYTES ? [buffers.take(), buffers.take()] : [Buffer.allocUnsafe(total)]
  const read = (turn: number, done: number) => {
    if (done >= total) return undefined
    // Of a small blob that is still coming, part of it may be all there is.
    two[turn % 2] ??= Buffer.allocUnsafe(total)
    const buffer = two[turn % 2] as Buffer
    const count = Math.min(buffer.length, total - done)
    const piece = blob.read(buffer, count, range.start + done).then((bytes) => buffer.subarray(0, bytes))
    // It may fail before anybody waits for it; who waits for it hears of it all the same.
    piece.catch(() => {})
    return piece
  }
  let done = 0
  let coming = read(0, 0)
  try {
    for (let turn = 1; coming !== undefined; turn++) {
      const piece = await coming
      coming = undefined
      if (piece.length === 0) break
      const sent = write(response, piece)
      coming = read(turn, done + piece.length)
      if (!(await sent)) break
      done += piece.length
      onBytes(piece.length)
    }
  } finally {
    // The blob may be closed only when nobody reads it; what that read brings is not wanted any more.
    await coming?.catch(() => {})
  }
  // Of a transfer that broke off, the system may still hold them.
  if (done === total) for (const buffer of two) buffers.giveBack(buffer)
  return done
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
