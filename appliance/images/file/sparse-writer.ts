/**
 * Writes a file in order, leaving holes where there are only zeros. Gathers small pieces; lets nobody change what it
 * holds.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { InsufficientStorage } from '../../errors.ts'

/** Runs of zeros shorter than this are written. */
const BLOCK_BYTES = 64 * 1024
const BUFFER_BYTES = 1024 * 1024
const ZEROS = Buffer.alloc(BLOCK_BYTES)

export type SparseWriter = AsyncDisposable & {
  readonly path: string
  /** Bytes taken so far, zeros included. */
  readonly size_bytes: number
  /** The piece may be used again afterwards. */
  write(piece: Uint8Array): Promise<void>
  /** As many zeros. */
  skip(count: number): Promise<void>
  /** Drops what came after `size_bytes`. */
  finish(): Promise<void>
}

/** @param path  a file that is not there yet */
export async function openSparseWriter(path: string): Promise<SparseWriter> {
  const file = await open(path, 'wx', 0o600)
  const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  let held = 0
  let at = 0

  async function flush(): Promise<void> {
    let begin = 0
    for (let end = 0; begin < held; begin = end) {
      const zero = isZero(buffer, begin, held)
      for (end = blockEnd(begin, held); end < held && isZero(buffer, end, held) === zero; ) end = blockEnd(end, held)
      if (!zero) await writeAll(file, buffer.subarray(begin, end), at + begin, path)
    }
    at += held
    held = 0
  }

  return {
    path,
    get size_bytes() {
      return at + held
    },
    async write(piece) {
      for (let done = 0; done < piece.length; ) {
        const count = Math.min(piece.length - done, BUFFER_BYTES - held)
        buffer.set(piece.subarray(done, done + count), held)
        held += count
        done += count
        if (held === BUFFER_BYTES) await flush()
      }
    },
    async skip(count) {
      await flush()
      at += count
    },
    async finish() {
      await flush()
      await file.truncate(at)
    },
    [Symbol.asyncDispose]: () => file.close(),
  }
}

const blockEnd = (begin: number, limit: number) => Math.min(begin + BLOCK_BYTES, limit)

function isZero(buffer: Buffer, begin: number, limit: number): boolean {
  const end = blockEnd(begin, limit)
  return buffer.compare(ZEROS, 0, end - begin, begin, end) === 0
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number, path: string): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done)
    if (bytesWritten === 0) throw new InsufficientStorage(`The disk of ${path} takes no more bytes.`)
    done += bytesWritten
  }
}
