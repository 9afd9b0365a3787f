/** Sends part of an open file: reads one large piece while the other is on its way. The default streams are half as fast here. */
import type { FileHandle } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import type { Range } from './negotiate.ts'

const PIECE_BYTES = 512 * 1024

/** @returns bytes that were sent: fewer than asked for when the client went away, or the file ends early */
export async function sendFile(
  file: FileHandle,
  range: Range,
  response: ServerResponse,
  onBytes: (bytes: number) => void,
): Promise<number> {
  const total = range.end - range.start + 1
  const length = Math.min(PIECE_BYTES, total)
  const buffers = [Buffer.allocUnsafeSlow(length), Buffer.allocUnsafeSlow(total > length ? length : 0)] as const
  const read = (turn: number, done: number) => {
    const count = Math.min(length, total - done)
    if (count <= 0) return undefined
    const piece = file.read(buffers[turn % 2 === 0 ? 0 : 1], 0, count, range.start + done)
    // It may fail before anybody waits for it; who waits for it hears of it all the same.
    piece.catch(() => {})
    return piece
  }
  let done = 0
  let coming = read(0, 0)
  try {
    for (let turn = 1; coming !== undefined; turn++) {
      const { buffer, bytesRead } = await coming
      coming = undefined
      if (bytesRead === 0) break
      const sent = write(response, buffer.subarray(0, bytesRead))
      coming = read(turn, done + bytesRead)
      if (!(await sent)) break
      done += bytesRead
      onBytes(bytesRead)
    }
  } finally {
    // The file may be closed only when nobody reads it; what that read brings is not wanted any more.
    await coming?.catch(() => {})
  }
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
