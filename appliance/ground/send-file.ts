/** A file over HTTP at the speed of the wire: conditions, Range and HEAD. Node's own streams are half as fast here. */
import type { FileHandle } from 'node:fs/promises'
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { isKnown, type Range, rangeOf } from './range.ts'
import { type ChunkSource, sendChunks } from './send-chunks.ts'
import type { SendRoom } from './send-room.ts'

const CHUNK_BYTES = 512 * 1024

export type FileAnswer = {
  size_bytes: number
  /** Where in the file that begins which is sent; 0 when left out. */
  start_bytes?: number
  /** Strong, with its quotes: it changes whenever a byte does. */
  etag: string
  /** Beside ETag, Accept-Ranges, Content-Length and Content-Range. */
  headers?: OutgoingHttpHeaders
  /** Of all files that a server sends. */
  room: SendRoom
  /** Called with the size of each chunk that went out. */
  onBytes?: ((bytes: number) => void) | undefined
}
export type Sent = {
  status: 200 | 206 | 304 | 416
  /** What the body was to hold; undefined: the answer has no body. */
  range: Range | undefined
  /** Bytes of the body that the system took. */
  bytes: number
  /** The client took less than the least rate, and was cut for it. */
  isTooSlow: boolean
  /** False: the client went away, or the file ended early, and the connection was cut. */
  whole: boolean
}

/** Of a file, or of what takes the place of a part of it. */
export type Readable = {
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>
}

/** Answers a GET or a HEAD. @throws the error of reading the file */
export async function sendFile(
  file: FileHandle | Readable,
  request: IncomingMessage,
  response: ServerResponse,
  { size_bytes, start_bytes = 0, etag, headers, room, onBytes = () => {} }: FileAnswer,
): Promise<Sent> {
  const validators = { etag, 'accept-ranges': 'bytes' }
  const common = { ...validators, 'content-type': 'application/octet-stream', ...headers }
  const answer = (status: Sent['status'], head: OutgoingHttpHeaders): Sent => {
    response.writeHead(status, head).end()
    return { status, range: undefined, bytes: 0, isTooSlow: false, whole: true }
  }
  if (isKnown(request.headers, etag)) return answer(304, common)
  const isHead = request.method === 'HEAD'
  // RFC 9110 section 14.2: Range is defined for GET alone.
  const asked = isHead ? undefined : rangeOf(request.headers, { size_bytes, etag })
  if (asked === 'unsatisfiable') {
    return answer(416, { ...validators, 'content-range': `bytes */${size_bytes}`, 'content-length': 0 })
  }
  const range = asked ?? { start: 0, end: size_bytes - 1 }
  const total = range.end - range.start + 1
  const status = asked ? 206 : 200
  const part = asked && { 'content-range': `bytes ${range.start}-${range.end}/${size_bytes}` }
  if (isHead) return answer(status, { ...common, 'content-length': total })
  response.writeHead(status, { ...common, ...part, 'content-length': total })
  const source = chunksOf(file, { range, start_bytes, room })
  const { bytes, isTooSlow } = await sendChunks(source, total, response, { onBytes })
  const whole = bytes === total
  if (whole) await new Promise<void>((resolve) => response.end(resolve).once('close', resolve))
  // The client must not take what it has for the whole.
  else response.destroy()
  return { status, range, bytes, isTooSlow, whole }
}

type Part = { range: Range; start_bytes: number; room: SendRoom }

/** Two buffers: one is filled while the other is on its way. */
function chunksOf(file: FileHandle | Readable, { range: { start, end }, start_bytes, room }: Part): ChunkSource {
  const total = end - start + 1
  const length = room.take(Math.min(CHUNK_BYTES, total))
  const lengths = [length, total > length ? room.take(Math.min(CHUNK_BYTES, total)) : 0] as const
  const buffers = lengths.map((length) => Buffer.allocUnsafeSlow(length))
  let turn = 0
  return {
    async at(done) {
      const buffer = (lengths[1] > 0 && turn++ % 2 === 1 ? buffers[1] : buffers[0]) as Buffer
      const { bytesRead } = await file.read(
        buffer,
        0,
        Math.min(buffer.length, total - done),
        start_bytes + start + done,
      )
      return { bytes: buffer.subarray(0, bytesRead) }
    },
    end() {
      for (const length of lengths) room.give(length)
    },
  }
}
