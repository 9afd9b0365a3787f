/** Temporary folders in memory where there is room: dozens of disks are flushed in these tests, and real disks take their time. */
import { mkdtemp, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const MEMORY = '/dev/shm'
const ROOM_BYTES = 512 * 1024 ** 2

export async function makeFolder(prefix: string): Promise<string> {
  const room = await statfs(MEMORY).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => 0,
  )
  return mkdtemp(join(room >= ROOM_BYTES ? MEMORY : tmpdir(), prefix))
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
