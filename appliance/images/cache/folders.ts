/** The few things that a file system must do for the cache: names that appear whole, folders that go away, room. */
import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { InsufficientStorage } from '../../errors.ts'

/** Of what is not finished, and of what is being removed: swept when the appliance starts. */
const UNFINISHED = '.new-'

export const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException | undefined)?.code
export const isMissing = (error: unknown): boolean => codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR'

export const unfinishedName = () => `${UNFINISHED}${randomUUID()}`

/** What an appliance that was killed left behind. */
export async function sweep(folder: string): Promise<string[]> {
  const left = (await readdir(folder)).filter((name) => name.startsWith(UNFINISHED))
  for (const name of left) await rm(join(folder, name), { recursive: true, force: true })
  return left
}

/** @param path  file or folder: its bytes, or its names */
export async function sync(path: string): Promise<void> {
  await using file = await open(path, 'r')
  await file.sync()
}

export async function writeWhole(path: string, text: string): Promise<void> {
  const fresh = join(dirname(path), unfinishedName())
  try {
    await writeFile(fresh, text, { mode: 0o600, flush: true })
    await rename(fresh, path)
  } catch (error) {
    await rm(fresh, { force: true })
    throw error
  }
  await sync(dirname(path))
}

/** By another name first, so that nobody finds half of it. */
export async function removeFolder(path: string): Promise<void> {
  const gone = join(dirname(path), unfinishedName())
  try {
    await rename(path, gone)
  } catch (error) {
    if (isMissing(error)) return
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

export async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path)
  return bavail * bsize
}

/** Turns what the kernel says of a full disk into a sentence. */
export function asStorageError(error: unknown, folder: string): unknown {
  if (!['ENOSPC', 'EDQUOT', 'EFBIG'].includes(codeOf(error) ?? '')) return error
  return new InsufficientStorage(
    `There is no space left in the image cache ${folder} ([pxe] instance_master_path). Free some, or move it to a larger disk.`,
    { cause: error },
  )
}
