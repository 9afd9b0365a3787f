/** Files of keys and certificates: there as a whole or not at all, and durable. */
import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

export type FileMode = 0o600 | 0o644
const FOLDER_MODE = 0o700

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code

export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: FOLDER_MODE })
  await syncFolder(dirname(path))
}

/** Takes the place of what was there. */
export const replaceFile = (path: string, text: string, mode: FileMode): Promise<void> =>
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
  const fresh = `${path}.${randomUUID()}.new`
  try {
    await using file = await open(fresh, 'wx', mode)
    await file.writeFile(text)
    await file.sync()
    await put(fresh, path)
    await syncFolder(dirname(path))
  } finally {
    await rm(fresh, { force: true })
  }
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r')
  await folder.sync()
}
