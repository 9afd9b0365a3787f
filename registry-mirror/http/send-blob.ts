/**
 * Sends part of a blob, from chunks that clients share or from buffers of its own. Node's own streams are a fifth as
 * fast.
 */
import type { ServerResponse } from 'node:http'
import type { Range } from '@appliance/ground/range'
import { type ChunkSource, type SentChunks, sendChunks } from '@appliance/ground/send-chunks'
import { SendRoom } from '@appliance/ground/send-room'
import type { BlobReader } from '../storage/blobs.ts'
import { CHUNK_BYTES, type SharedBlob, SharedChunks } from './shared-chunks.ts'

/** Reused between transfers: fresh memory costs more than copying into it. */
const SPARE_LIMIT = 16

/** Buffers of transfers that have ended, for the next ones, and those that transfers share. */
export class Buffers {
  readonly #spare: Buffer[] = []
  readonly chunks = new SharedChunks(this)
  readonly room = new SendRoom()
  take(): Buffer {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES)
  }
  giveBack(buffer: Buffer): void {
    if (buffer.length === CHUNK_BYTES && this.#spare.length < SPARE_LIMIT) this.#spare.push(buffer)
  }
}

type Sending = { range: Range; buffers: Buffers; onBytes: (bytes: number) => void }

/** Of blobs that are large enough for it, many clients get the same chunks while there is room for whole ones. */
export async function sendBlob(
  blob: BlobReader,
  response: ServerResponse,
  { range, buffers, onBytes }: Sending,
): Promise<SentChunks> {
  const total = range.end - range.start + 1
  const wanted = Math.min(CHUNK_BYTES, total)
  const sizes = [buffers.room.take(wanted), total > wanted ? buffers.room.take(wanted) : 0] as const
  const isRoomy = sizes[0] + sizes[1] === 2 * CHUNK_BYTES
  const source = isRoomy && isShared(blob) ? shared(blob, range, buffers) : own(blob, { range, sizes }, buffers)
  try {
    return await sendChunks(source, total, response, { onBytes })
  } finally {
    for (const size of sizes) buffers.room.give(size)
  }
}

const isShared = (blob: BlobReader): blob is BlobReader & SharedBlob => blob.identity !== undefined

function shared(blob: SharedBlob, { start, end }: Range, { chunks }: Buffers): ChunkSource {
  chunks.join(blob.identity)
  return {
    at: (done) => chunks.take(blob, start + done, end + 1 - start - done),
    end: () => chunks.leave(blob.identity),
  }
}

type Part = { range: Range; sizes: readonly [number, number] }

/** Reads a small blob, one in transfer, or one of too many at once, into buffers of its own. */
function own(blob: BlobReader, { range: { start, end }, sizes }: Part, buffers: Buffers): ChunkSource {
  const total = end - start + 1
  const bufferOf = (size: number) => (size === CHUNK_BYTES ? buffers.take() : Buffer.allocUnsafeSlow(size))
  const two: Buffer[] = []
  let turn = 0
  return {
    async at(done) {
      const which = turn++ % 2
      // A small blob in transfer may give only a part at first, and need the second.
      two[which] ??= bufferOf(sizes[which as 0 | 1] || sizes[0])
      const buffer = two[which] as Buffer
      const length = await blob.read(buffer, Math.min(buffer.length, total - done), start + done)
      return { bytes: buffer.subarray(0, length) }
    },
    end(isWhole) {
      // After a broken answer the kernel may still read the buffers.
      if (isWhole) for (const buffer of two) buffers.giveBack(buffer)
    },
  }
}
