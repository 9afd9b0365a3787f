/**
 * Makes the part of a disk that an image will cover read as zeros, when that costs nothing; then zeros need not be
 * written.
 */
import type { Programs } from '../programs.ts'

const TIMEOUT_S = 30 * 60
/** More than any disk's sector: the kernel refuses a range that ends within one. */
const GRAIN_BYTES = 64 * 1024

/**
 * Punching a hole into a block device discards, and fails where the disk does not promise zeros afterwards; the
 * kernel never falls back to writing them (blkdev_fallocate, FALLOC_FL_PUNCH_HOLE). A regular file gets a real hole.
 * @returns how far, from the disk's beginning, it surely holds zeros now
 */
export async function clearDisk(
  path: string,
  range: { size_bytes: number; disk_bytes: number },
  programs: Programs,
): Promise<number> {
  const length = Math.min(Math.ceil(range.size_bytes / GRAIN_BYTES) * GRAIN_BYTES, range.disk_bytes)
  if (length === 0) return 0
  return programs
    .run('fallocate', ['--punch-hole', '--offset', '0', '--length', String(length), path], { timeout_s: TIMEOUT_S })
    .then(
      () => length,
      // Not supported by this disk: zeros are written like any other data.
      () => 0,
    )
}
