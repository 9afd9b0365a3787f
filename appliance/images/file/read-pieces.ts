/**
 * Reads a file in large pieces, the next one while the last is worked on. Holes are not read. Two buffers, whatever the
 * file's size.
 */
import type { FileHandle } from 'node:fs/promises'
import { setImmediate as pause } from 'node:timers/promises'
import { dataExtents, type Extent } from './extents.ts'

const PIECE_BYTES = 1024 * 1024
const ZEROS = Buffer.alloc(PIECE_BYTES)

/** `isHole`: all zeros, and the same ones each time. */
export type Piece = { bytes: Buffer; isHole: boolean }

/** The piece is good until the next one is asked for; nobody writes to it. Ends early when the file does. */
export async function* readPieces(file: FileHandle, size_bytes: number, signal: AbortSignal): AsyncGenerator<Piece> {
  const plan = planOf(await dataExtents(file, size_bytes, signal), size_bytes)
  const buffers = [Buffer.allocUnsafeSlow(PIECE_BYTES), Buffer.allocUnsafeSlow(PIECE_BYTES)] as const
  let turn = 0
  const begin = (): { planned: Planned; piece: Promise<Piece> } | undefined => {
    const { value: planned } = plan.next()
    return planned && { planned, piece: planned.isHole ? hole(planned) : data(planned) }
  }
  // Nothing is read of a hole: without a pause here, gigabytes of them would hold up everybody else.
  const hole = ({ length }: Planned): Promise<Piece> => pause({ bytes: ZEROS.subarray(0, length), isHole: true })
  const data = (planned: Planned): Promise<Piece> => {
    const buffer = buffers[turn++ % 2 === 0 ? 0 : 1]
    const piece = readFully(file, buffer.subarray(0, planned.length), planned.start)
    // It may fail before anybody waits for it; who waits for it hears of it all the same.
    piece.catch(() => {})
    return piece
  }
  let coming = begin()
  try {
    while (coming !== undefined) {
      const { planned, piece } = coming
      const { bytes, isHole } = await piece
      coming = bytes.length < planned.length ? undefined : begin()
      signal.throwIfAborted()
      if (bytes.length > 0) yield { bytes, isHole }
    }
  } finally {
    // The file may be closed only when nobody reads it; what that read brings is not wanted any more.
    await coming?.piece.catch(() => {})
  }
}

async function readFully(file: FileHandle, into: Buffer, position: number): Promise<Piece> {
  let done = 0
  while (done < into.length) {
    const { bytesRead } = await file.read(into, done, into.length - done, position + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return { bytes: into.subarray(0, done), isHole: false }
}

type Planned = Extent & { isHole: boolean }

function* planOf(extents: readonly Extent[], size_bytes: number): Generator<Planned, undefined> {
  let at = 0
  for (const { start, length } of extents) {
    yield* cut(at, start, true)
    yield* cut(Math.max(at, start), start + length, false)
    at = Math.max(at, start + length)
  }
  yield* cut(at, size_bytes, true)
}

function* cut(start: number, end: number, isHole: boolean): Generator<Planned, undefined> {
  for (let at = start; at < end; at += PIECE_BYTES) yield { start: at, length: Math.min(PIECE_BYTES, end - at), isHole }
}
