/**
 * Writes files into the /etc of the one deployment on an installed disk. The tree is the tenant's: no link in it is
 * followed, each folder is opened below the one before, and what is not as expected is refused.
 */
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'

export type DeployedFile = { path: string; content: string; mode: number }

const FILES_LIMIT = 64
const CONTENT_LIMIT_BYTES = 1024 * 1024
const FOLDER_MODE = 0o755
const STANDARD_MODE = 0o644
const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
const PATH = /^\/etc(\/[\w@%+=:,.[\]-]{1,200}){1,12}$/

/** @throws Error  what is wrong with the list */
export function deployedFiles(list: unknown): DeployedFile[] {
  if (!Array.isArray(list) || list.length > FILES_LIMIT) {
    throw new Error(`The step's argument files must be a list of at most ${FILES_LIMIT} files.`)
  }
  return list.map((item: unknown) => {
    const { path, content, mode = STANDARD_MODE } = (item ?? {}) as Record<string, unknown>
    const clean = typeof path === 'string' && PATH.test(path) && !/\/\.{1,2}(\/|$)/.test(path)
    if (!clean) throw new Error(`The file ${JSON.stringify(path)} cannot be deployed: a path below /etc is wanted.`)
    if (typeof content !== 'string' || Buffer.byteLength(content) > CONTENT_LIMIT_BYTES) {
      throw new Error(`The content of ${path} must be a text of at most ${CONTENT_LIMIT_BYTES} bytes.`)
    }
    if (typeof mode !== 'number' || !Number.isInteger(mode) || mode < 0 || mode > 0o777) {
      throw new Error(`The mode of ${path} must be a number from 0 to 0777.`)
    }
    return { path, content, mode }
  })
}

/** Folder of the only deployment: ostree's, or the one of bootc's composefs backend. @throws Error  none, or several */
export async function deploymentOf(root: string): Promise<string> {
  const ostree = await foldersIn(root, ['ostree', 'deploy', '*', 'deploy', '*'])
  const composefs = await foldersIn(root, ['state', 'deploy', '*'])
  const [deployment, another] = [...ostree, ...composefs]
  if (!deployment) throw new Error('bootc ended without an error, but there is no deployment on the disk.')
  if (another) throw new Error('There are several deployments on the disk: one is wanted.')
  return deployment
}

/** Real folders only: what `readdir` calls a folder is no link. */
async function foldersIn(root: string, names: readonly string[]): Promise<string[]> {
  let found = [root]
  for (const name of names) {
    const below = await Promise.all(
      found.map(async (folder) => {
        const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
        const folders = entries.filter((entry) => entry.isDirectory() && (name === '*' || entry.name === name))
        return folders.map((entry) => join(folder, entry.name))
      }),
    )
    found = below.flat()
  }
  return found
}

/** Each whole or not at all. @throws Error  names the file and what is in its way */
export async function writeFiles(deployment: string, files: readonly DeployedFile[]): Promise<void> {
  for (const file of files) {
    try {
      await writeFile(deployment, file)
    } catch (cause) {
      throw new Error(`${file.path} cannot be written to the installed system: ${reasonOf(cause)}.`, { cause })
    }
  }
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOTDIR' || code === 'ELOOP') return 'a folder on its way is a link or a file in the image'
  if (code === 'EISDIR') return 'the image has a folder of that name'
  if (code === 'ENOSPC') return 'its file system is full'
  return message
}

async function writeFile(deployment: string, { path, content, mode }: DeployedFile): Promise<void> {
  const names = path.split('/').slice(1)
  const name = names.pop() ?? ''
  await using folder = await openFolder(deployment, names)
  const temporary = within(folder, `.rackstrap-${randomUUID()}`)
  try {
    await using file = await open(temporary, NEW_FILE, 0o600)
    await file.writeFile(content)
    await file.chmod(mode)
    await file.sync()
    await rename(temporary, within(folder, name))
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await folder.sync()
}

async function openFolder(deployment: string, names: readonly string[]): Promise<FileHandle> {
  let folder = await open(deployment, FOLDER)
  for (const name of names) {
    await using above = folder
    const path = within(above, name)
    await mkdir(path, FOLDER_MODE).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
    folder = await open(path, FOLDER)
  }
  return folder
}

/** By the open folder, whatever its path leads to now. */
const within = (folder: FileHandle, name: string) => `/proc/self/fd/${folder.fd}/${name}`
