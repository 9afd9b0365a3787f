/** Finds the shared libraries that programs need, as the dynamic loader would. Takes them from the unpacked packages only. */
import { lstat, readFile, readlink } from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'
import type { Entry } from './cpio.ts'
import { isElf, neededLibraries } from './elf.ts'

const LINKS_LIMIT = 8

/** A file of the root, with the links that lead to it. @throws Error  it is not there */
export async function filesOf(root: string, path: string): Promise<Entry[]> {
  const entries: Entry[] = []
  let at = path
  for (let hop = 0; hop < LINKS_LIMIT; hop++) {
    const status = await lstat(join(root, at)).catch((cause: Error) => {
      throw new Error(`${path} is not in Debian's packages: the recipe is out of date`, { cause })
    })
    if (!status.isSymbolicLink()) {
      const executable = (status.mode & 0o100) !== 0
      return [...entries, { path: at, kind: 'file', content: await readFile(join(root, at)), executable }]
    }
    const target = await readlink(join(root, at))
    entries.push({ path: at, kind: 'link', target })
    at = target.startsWith('/') ? target.slice(1) : posix.join(dirname(at), target)
    at = at.replace(/^lib\//, 'usr/lib/')
  }
  throw new Error(`${path} is a link that leads nowhere`)
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
