/** Overwrites a whole disk with a pattern, beyond places that it cannot write any more. */
import { createCipheriv, randomBytes } from 'node:crypto'
import { messageOf } from '../errors.ts'
import { gib } from '../hardware/root-device.ts'
import { type DiskFile, writeAt } from './disk-file.ts'

/** What stands on the disk at a place, whose position is a multiple of 16. At most 4 MiB at once. */
export type Pattern = (at_bytes: number, length: number) => Buffer

const MIB = 1024 * 1024
const CHUNK = Buffer.alloc(4 * MIB)
/** What the disk has not taken yet lies in memory, of which there is little. */
const FLUSH_EVERY_BYTES = 256 * MIB
/** A disk that fails more often is broken all over. */
const FAILURES_LIMIT = 100
const CIPHER_BLOCK_BYTES = 16
const CIPHER_KEY_BYTES = 32

export const ZEROS: Pattern = (_at, length) => CHUNK.subarray(0, length)

/** What a cipher makes of zeros: as quick as a disk, and known again when it is read back. */
export function randomPattern(): Pattern {
  const key = randomBytes(CIPHER_KEY_BYTES)
  return (at_bytes, length) => {
    const counter = Buffer.alloc(CIPHER_BLOCK_BYTES)
    counter.writeBigUInt64BE(BigInt(at_bytes / CIPHER_BLOCK_BYTES), CIPHER_BLOCK_BYTES / 2)
    return createCipheriv('aes-256-ctr', key, counter).update(ZEROS(at_bytes, length))
  }
}

/** @param onBytes  how many more are behind us. @throws Error  one sentence: it could not be written everywhere */
export async function overwrite(
  disk: DiskFile,
  onBytes: (bytes: number) => void,
  pattern: Pattern = ZEROS,
): Promise<void> {
  const failures: string[] = []
  const tried = async (at: number, act: () => Promise<void>) => {
    try {
      await act()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EIO') throw error
      failures.push(`${messageOf(error)} at ${gib(at)}`)
      if (failures.length >= FAILURES_LIMIT) throw unwritten(failures)
    }
  }
  for (let at = 0; at < disk.size_bytes; at += CHUNK.length) {
    const length = Math.min(CHUNK.length, disk.size_bytes - at)
    await tried(at, () => writeAt(disk, at, pattern(at, length)))
    if ((at + length) % FLUSH_EVERY_BYTES === 0) await tried(at, () => disk.file.datasync())
    onBytes(length)
  }
  await tried(disk.size_bytes, () => disk.file.datasync())
  if (failures.length > 0) throw unwritten(failures)
}

const unwritten = (failures: readonly string[]) =>
  new Error(
    `it could not be overwritten everywhere (${failures.length} failures, the first: ${failures[0]}), so data may be left on it. Replace it`,
  )
