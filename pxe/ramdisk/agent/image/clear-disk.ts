/** Makes the part of a disk that an image will cover read as zeros, when that costs nothing; then zeros need not be written. */
import type { FileHandle } from 'node:fs/promises'
import { open } from 'node:fs/promises'
import type { Programs } from '../programs.ts'

const TIMEOUT_S = 30 * 60

/**
 * Punching a hole into a block device discards, and fails where the disk does not promise zeros afterwards; it never falls back
 * to writing them. A regular file is emptied.
 * @returns whether the range holds zeros now
 */
export async function clearDisk(path: string, size_bytes: number, programs: Programs): Promise<boolean> {
  await using file = await open(path, 'r+')
  const status = await file.stat()
  if (status.isFile()) return emptyFile(file, status.size)
  return programs
    .run('fallocate', ['--punch-hole', '--offset', '0', '--length', String(size_bytes), path], TIMEOUT_S)
    .then(
      () => true,
      // Not supported by this disk: zeros are written like any other data.
      () => false,
    )
}

async function emptyFile(file: FileHandle, size_bytes: number): Promise<true> {
  await file.truncate(0)
  await file.truncate(size_bytes)
  return true
}
