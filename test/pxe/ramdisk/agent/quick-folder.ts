/**
 * Temporary folders in memory where there is room: dozens of disks are flushed in these tests, and real disks take
 * their time.
 */
import { access, constants, mkdtemp, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const MEMORY = '/dev/shm'
const ROOM_BYTES = 512 * 1024 ** 2

export async function makeFolder(prefix: string): Promise<string> {
  return mkdtemp(join((await hasRoom(MEMORY)) ? MEMORY : tmpdir(), prefix))
}

async function hasRoom(folder: string): Promise<boolean> {
  try {
    await access(folder, constants.W_OK)
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize >= ROOM_BYTES
  } catch {
    // Not there, or not for us: disks do as well.
    return false
  }
}

/** One for as long as the work takes. */
export async function inFolder<T>(prefix: string, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await makeFolder(prefix)
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}
