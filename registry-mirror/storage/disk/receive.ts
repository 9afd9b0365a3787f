/**
 * Writes a body into an open file in large batches: one batch is written and hashed while the next one comes. Memory
 * stays flat.
 */
import type { Hash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'

const CHUNK_BYTES = 1024 * 1024

/** @throws when there is no room for so many bytes */
export type RequireRoom = (bytes: number) => Promise<void>

export type Progress = {
  /** Where the next byte goes. Counts only what the disk has taken. */
  offset: number
  /** Of all bytes up to offset; undefined once it is unknown. */
  hash: Hash | undefined
}

/**
 * @param requireRoom  asked before each write
 * @throws what the body or the disk throws; `progress` then tells how far it came
 */
export async function receive(
  body: AsyncIterable<Buffer>,
  file: FileHandle,
  progress: Progress,
  requireRoom: RequireRoom = async () => {},
): Promise<void> {
  let piece: Buffer[] = []
  let bytes = 0
  let writing: Promise<void> = Promise.resolve()
  try {
    for await (const chunk of body) {
      piece.push(chunk)
      bytes += chunk.length
      if (bytes < CHUNK_BYTES) continue
      await writing
      await requireRoom(bytes)
      writing = write(piece, file, progress)
      // It may fail before anybody waits for it; who waits for it hears of it all the same.
      writing.catch(() => {})
      piece = []
      bytes = 0
    }
  } finally {
    // What came before a connection broke need not come again.
    await writing
    if (bytes > 0) await write(piece, file, progress)
  }
}

async function write(piece: Buffer[], file: FileHandle, progress: Progress): Promise<void> {
  const { hash } = progress
  const total = piece.reduce((sum, { length }) => sum + length, 0)
  const written = file.writev(piece, progress.offset)
  if (hash) for (const chunk of piece) hash.update(chunk)
  try {
    let { bytesWritten } = await written
    if (bytesWritten < total) {
      const rest = Buffer.concat(piece)
      while (bytesWritten < total) {
        const more = await file.write(rest, bytesWritten, total - bytesWritten, progress.offset + bytesWritten)
        if (more.bytesWritten === 0) throw Object.assign(new Error('The disk takes no more bytes'), { code: 'ENOSPC' })
        bytesWritten += more.bytesWritten
      }
    }
  } catch (error) {
    progress.hash = undefined
    throw error
  }
  progress.offset += total
}
