/** Overwrites a whole disk with zeros, beyond places that it cannot write any more. */
import { messageOf } from '../errors.ts'
import { gib } from '../hardware/root-device.ts'
import { type DiskFile, writeAt } from './disk-file.ts'

const MIB = 1024 * 1024
const CHUNK = Buffer.alloc(4 * MIB)
/** What the disk has not taken yet lies in memory, of which there is little. */
const FLUSH_EVERY_BYTES = 256 * MIB
/** A disk that fails more often is broken all over. */
const FAILURES_LIMIT = 100

/** @param onBytes  how many more are behind us. @throws Error  one sentence: it could not be written everywhere */
export async function overwrite(disk: DiskFile, onBytes: (bytes: number) => void): Promise<void> {
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
    await tried(at, () => writeAt(disk, at, CHUNK.subarray(0, length)))
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
