/**
 * Finds the shared libraries that programs need, as the dynamic loader would. Takes them from the unpacked packages
 * only.
 */
import { lstat, readdir, readFile, readlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { PxeError } from '../config.ts'
import type { Entry } from './cpio.ts'
import { isElf, libraryFolders, neededLibraries } from './elf.ts'
import { resolveIn } from './rootfs.ts'

const LINKS_LIMIT = 8

/** A file of the root, with the links that lead to it. @throws PxeError  it is not there, or is no file */
export async function filesOf(root: string, path: string): Promise<Entry[]> {
  const entries: Entry[] = []
  try {
    let at = path
    for (let hop = 0; hop < LINKS_LIMIT; hop++) {
      const folder = await resolveIn(root, dirname(at))
      at = join(folder, basename(at))
      const status = await lstat(join(root, at))
      if (status.isFile()) {
        const executable = (status.mode & 0o100) !== 0
        return [...entries, { path: at, kind: 'file', content: await readFile(join(root, at)), executable }]
      }
      const target = await readlink(join(root, at))
      entries.push({ path: at, kind: 'link', target })
      at = target.startsWith('/') ? target : join(folder, target)
    }
  } catch (cause) {
    throw new PxeError(`${path} is not in Debian's packages: the ramdisk's recipe is out of date.`, { cause })
  }
  throw new PxeError(`${path} is a link that leads nowhere: the ramdisk's recipe is out of date.`)
}

/** All files below a folder of the root, and its links as they are. @throws PxeError  it is not there */
export async function filesBelow(root: string, path: string): Promise<Entry[]> {
  try {
    const folder = await resolveIn(root, path)
    const found = await readdir(join(root, folder), { recursive: true, withFileTypes: true })
    const inside = found.map((entry) => ({ entry, at: join(entry.parentPath, entry.name).slice(root.length + 1) }))
    const files = inside.filter(({ entry }) => entry.isFile()).map(({ at }) => filesOf(root, at))
    const links = inside
      .filter(({ entry }) => entry.isSymbolicLink())
      .map(async ({ at }): Promise<Entry[]> => [{ path: at, kind: 'link', target: await readlink(join(root, at)) }])
    return (await Promise.all([...files, ...links])).flat().sort((a, b) => (a.path < b.path ? -1 : 1))
  } catch (cause) {
    if (cause instanceof PxeError) throw cause
    throw new PxeError(`The folder ${path} is not in Debian's packages: the ramdisk's recipe is out of date.`, {
      cause,
    })
  }
}

/**
 * @param programs  contents of the programs
 * @returns their libraries, and the libraries' own
 */
export async function librariesOf(root: string, triplet: string, programs: readonly Buffer[]): Promise<Entry[]> {
  const found = new Map<string, Entry[]>()
  const queue = programs.flatMap(needsOf)
  for (let need = queue.pop(); need !== undefined; need = queue.pop()) {
    const { name, folders } = need
    if (found.has(name)) continue
    const entries = await filesOf(root, await pathOf(root, name, [...folders, `usr/lib/${triplet}`]))
    found.set(name, entries)
    for (const entry of entries)
      if (entry.kind === 'file' && isElf(entry.content)) queue.push(...needsOf(entry.content))
  }
  return [...found.values()].flat()
}

const needsOf = (file: Buffer) =>
  neededLibraries(file).map((name) => ({ name, folders: libraryFolders(file).map((path) => path.slice(1)) }))

/** In the first folder that has it; in the last one when none has. */
async function pathOf(root: string, name: string, folders: readonly string[]): Promise<string> {
  for (const folder of folders) {
    const path = `${folder}/${name}`
    const there = await resolveIn(root, path).then(
      () => true,
      () => false,
    )
    if (there) return path
  }
  return `${folders.at(-1)}/${name}`
}
