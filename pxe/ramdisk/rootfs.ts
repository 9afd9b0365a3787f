/**
 * Reads an unpacked root folder as a process with that root would: no link in it, however it is made, leads out to
 * this box.
 */
import { readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'

/** As the kernel has it. */
const LINKS_LIMIT = 40
/** Packages without base-files bring no links for these. */
const MERGED = new Set(['bin', 'sbin', 'lib', 'lib64'])

const namesOf = (path: string) => path.split('/').filter((name) => name !== '' && name !== '.')

/**
 * @param path  relative to the root, or absolute as a link in it has it
 * @returns path relative to the root, free of links
 * @throws Error  ENOENT; ELOOP
 */
export async function resolveIn(root: string, path: string): Promise<string> {
  const rest = namesOf(path)
  let done: string[] = []
  let hops = 0
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    if (name === '..') {
      done.pop()
      continue
    }
    if (done.length === 0 && MERGED.has(name)) done.push('usr')
    const target = await targetOf(join(root, ...done, name))
    if (target === undefined) {
      done.push(name)
      continue
    }
    if (++hops > LINKS_LIMIT) throw Object.assign(new Error(`${path}: too many links`), { code: 'ELOOP' })
    if (target.startsWith('/')) done = []
    rest.unshift(...namesOf(target))
  }
  return done.join('/')
}

/** undefined: it is no link. */
async function targetOf(path: string): Promise<string | undefined> {
  return readlink(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EINVAL') return undefined
    throw error
  })
}

export async function readIn(root: string, path: string): Promise<Buffer> {
  return readFile(join(root, await resolveIn(root, path)))
}
