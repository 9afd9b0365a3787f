/** Files that appear whole or not at all, and are durable when the call resolves; free space on a disk. */
import { randomUUID } from 'node:crypto'
import { type FileHandle, link, open, readFile, rename, rm, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { codeOf, leadsNowhere } from './errno.ts'

/**
 * Names of unfinished files, and of folders under removal, begin with this. The owner of the folder removes them at its
 * start.
 */
export const UNFINISHED = '.new-'

export const unfinishedName = () => `${UNFINISHED}${randomUUID()}`

/** @returns undefined  no such file */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (leadsNowhere(error)) return undefined
    throw error
  }
}

/** fsync(2). @param path  a file: its bytes become durable; a folder: the names in it */
export async function sync(path: string): Promise<void> {
  await using file = await open(path, 'r')
  await file.sync()
}

/** The bytes, or what writes them into the open file. */
export type Content = string | Uint8Array | ((file: FileHandle) => Promise<unknown>)

/**
 * Makes a new file with durable bytes. Its name is durable once the folder is synced. A failure leaves no file.
 * @throws EEXIST  there is one
 */
export async function writeNewFile(path: string, content: Content, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode)
  try {
    await using _closed = file
    if (typeof content === 'function') await content(file)
    else await file.writeFile(content)
    await file.sync()
  } catch (error) {
    await rm(path, { force: true })
    throw error
  }
}

type Making = {
  /** Default: 0o600. */
  mode?: number
  /** Path of the file until it is whole, on the same file system; overwritten. Default: a new name beside the file. */
  unfinished?: string
}

/** Takes the place of the file that was there. */
export const replaceFile = (path: string, content: Content, making: Making = {}): Promise<void> =>
  place(path, content, making, rename)

/** Two processes may make the same file at once. @returns the content that is there then, from whichever was first */
export async function makeFile(path: string, text: string, mode: number): Promise<string> {
  try {
    await place(path, text, { mode }, link)
    return text
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return readFile(path, 'utf8')
    throw error
  }
}

async function place(path: string, content: Content, { mode = 0o600, unfinished }: Making, put: typeof rename) {
  const fresh = unfinished ?? join(dirname(path), unfinishedName())
  if (unfinished !== undefined) await rm(unfinished, { force: true })
  await writeNewFile(fresh, content, mode)
  try {
    await put(fresh, path)
  } finally {
    await rm(fresh, { force: true })
  }
  await sync(dirname(path))
}

/** Renames a file whose bytes, or a folder whose files, are durable already. Both are in the same file system. */
export async function renameDurably(from: string, to: string): Promise<void> {
  await rename(from, to)
  await sync(dirname(to))
}

/** On the disk of `path`, for accounts other than root. */
export async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path)
  return bavail * bsize
}
