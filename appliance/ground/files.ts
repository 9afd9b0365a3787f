/** Files that are there as a whole or not at all, and durable; room on a disk. (Records have a disk of their own, which tests can let fail.) */
import { randomUUID } from 'node:crypto'
import { link, open, readFile, rename, rm, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** How the names begin of what is not finished, and of what is being removed: to be swept away by who owns the folder. */
export const UNFINISHED = '.new-'

export const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException | undefined)?.code
export const isMissing = (error: unknown): boolean => codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR'

export const unfinishedName = () => `${UNFINISHED}${randomUUID()}`

export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** @param path  file or folder: its bytes, or its names */
export async function sync(path: string): Promise<void> {
  await using file = await open(path, 'r')
  await file.sync()
}

type FileMode = 0o600 | 0o644

/** Takes the place of what was there. */
export const replaceFile = (path: string, text: string, mode: FileMode = 0o600): Promise<void> =>
  place(path, { text, mode }, rename)

/** Two processes may come at once: @returns what is there then, of whoever was first */
export async function makeFile(path: string, text: string, mode: FileMode): Promise<string> {
  try {
    await place(path, { text, mode }, link)
    return text
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return readFile(path, 'utf8')
    throw error
  }
}

async function place(path: string, { text, mode }: { text: string; mode: FileMode }, put: typeof rename) {
  const fresh = join(dirname(path), unfinishedName())
  try {
    await using file = await open(fresh, 'wx', mode)
    await file.writeFile(text)
    await file.sync()
    await put(fresh, path)
  } finally {
    await rm(fresh, { force: true })
  }
  await sync(dirname(path))
}

/** On the disk that `path` is on, for who is not root. */
export async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path)
  return bavail * bsize
}
