/** What the cache does with folders: folders that go away, and what they take. */
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isDiskFull, leadsNowhere } from '@appliance/ground/errno'
import { UNFINISHED, unfinishedName } from '@appliance/ground/files'
import { InsufficientStorage } from '../../errors.ts'

/** When the appliance starts: what one that was killed left behind. */
export async function sweep(folder: string): Promise<string[]> {
  const left = (await readdir(folder)).filter((name) => name.startsWith(UNFINISHED))
  for (const name of left) await rm(join(folder, name), { recursive: true, force: true })
  return left
}

/** By another name first, so that nobody finds half of it. */
export async function removeFolder(path: string): Promise<void> {
  const gone = join(dirname(path), unfinishedName())
  try {
    await rename(path, gone)
  } catch (error) {
    if (leadsNowhere(error)) return
    throw error
  }
  await rm(gone, { recursive: true, force: true })
}

export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o755 })
}

const BLOCK_BYTES = 512

/** What the files in a folder take; holes take nothing. */
export async function diskBytes(folder: string): Promise<number> {
  const files = await Promise.all((await readdir(folder)).map((name) => stat(join(folder, name))))
  return files.reduce((sum, { blocks }) => sum + blocks * BLOCK_BYTES, 0)
}

/** Turns what the kernel says of a full disk into a sentence. */
export function asStorageError(error: unknown, folder: string): unknown {
  if (!isDiskFull(error)) return error
  return new InsufficientStorage(
    `There is no space left in the image cache ${folder} ([pxe] instance_master_path). Free some, or move it to a larger disk.`,
    { cause: error },
  )
}
