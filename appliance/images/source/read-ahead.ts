/** Reads a file in large pieces, the next one while the last is worked on. Two buffers, whatever the file's size. */
import type { FileHandle } from 'node:fs/promises'

const PIECE_BYTES = 1024 * 1024

/** The piece is good until the next one is asked for. Ends early when the file does. */
export async function* readAhead(file: FileHandle, size_bytes: number): AsyncGenerator<Buffer> {
  const buffers = [Buffer.allocUnsafeSlow(PIECE_BYTES), Buffer.allocUnsafeSlow(PIECE_BYTES)] as const
  const read = (turn: number, at: number) => {
    const buffer = buffers[turn % 2 === 0 ? 0 : 1]
    const count = Math.min(PIECE_BYTES, size_bytes - at)
    const piece = file.read(buffer, 0, count, at).then(({ bytesRead }) => buffer.subarray(0, bytesRead))
    // It may fail before anybody waits for it; who waits for it hears of it all the same.
    piece.catch(() => {})
    return piece
  }
  let coming: Promise<Buffer> | undefined = read(0, 0)
  try {
    for (let turn = 1, at = 0; coming !== undefined; turn++) {
      const piece: Buffer = await coming
      at += piece.length
      coming = piece.length > 0 && at < size_bytes ? read(turn, at) : undefined
      if (piece.length > 0) yield piece
    }
  } finally {
    // The file may be closed only when nobody reads it; what that read brings is not wanted any more.
    await coming?.catch(() => {})
  }
}
