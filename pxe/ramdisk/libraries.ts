/** Finds the shared libraries that programs need, as the dynamic loader would. Takes them from the unpacked packages only. */
import { lstat, readFile, readlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { PxeError } from '../config.ts'
import type { Entry } from './cpio.ts'
import { isElf, neededLibraries } from './elf.ts'
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

/** @param programs  contents of the programs; @returns their libraries, and the libraries' own */
export async function librariesOf(root: string, triplet: string, programs: readonly Buffer[]): Promise<Entry[]> {
  const found = new Map<string, Entry[]>()
  const queue = programs.flatMap(neededLibraries)
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (found.has(name)) continue
    const entries = await filesOf(root, `usr/lib/${triplet}/${name}`)
    found.set(name, entries)
    for (const entry of entries)
      if (entry.kind === 'file' && isElf(entry.content)) queue.push(...neededLibraries(entry.content))
  }
  return [...found.values()].flat()
}
