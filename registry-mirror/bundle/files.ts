/**
 * Disk images, ramdisks and other files of a bundle: found and hashed on one side, put in their place, whole, on the
 * other.
 */

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, lstat, mkdir, readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { codeOf, unlessMissing } from '@appliance/ground/errno'
import { replaceFile } from '@appliance/ground/files'
import { digestOfHash } from '../oci/digest.ts'
import { receive } from '../storage/disk/receive.ts'
import { BundleError, type BundleFile, isFileName } from './format.ts'

const CHUNK_BYTES = 1024 * 1024
const FILE_LIMIT = 10_000

export type SourceFile = BundleFile & { path: string }

/**
 * @param given  PATH or NAME=PATH; of a folder all that is in it, but for what begins with a dot
 * @throws BundleError
 */
export async function findFiles(
  given: readonly string[],
  onBytes: (bytes: number) => void = () => {},
): Promise<SourceFile[]> {
  const found: SourceFile[] = []
  for (const text of given) {
    const [, name, path = text] = /^([^=/]+)=(.+)$/.exec(text) ?? []
    for await (const one of walk(path, name ?? basename(path))) {
      if (found.length >= FILE_LIMIT) throw new BundleError(`That is more than ${FILE_LIMIT} files. Name fewer.`)
      if (!isFileName(one.name))
        throw new BundleError(
          `${one.path} would be called '${one.name}' in the bundle: expected letters, digits, '.', '_', '-', '+', '@' and '~', first no '.'. ` +
            'Give it another name by NAME=PATH.',
        )
      if (found.some(({ name }) => name === one.name))
        throw new BundleError(
          `Two files would be called '${one.name}' in the bundle. Give one another name by NAME=PATH.`,
        )
      found.push({ ...one, ...(await hashed(one.path, onBytes)) })
    }
  }
  return found
}

/** All files of a folder, by the names that they would have when a bundle's files go there. */
export async function filesIn(folder: string): Promise<SourceFile[]> {
  const names = (await readdir(folder)).filter((name) => !name.startsWith('.'))
  return findFiles(names.sort().map((name) => `${name}=${join(folder, name)}`))
}

async function* walk(path: string, name: string): AsyncGenerator<{ name: string; path: string }, void> {
  const found = await stat(path).catch((error: Error) => {
    throw new BundleError(`${path} cannot be read: ${error.message}.`, { cause: error })
  })
  if (found.isFile()) yield { name, path }
  else if (!found.isDirectory()) throw new BundleError(`${path} is no file and no folder.`)
  else {
    const entries = (await readdir(path, { withFileTypes: true })).filter((entry) => !entry.name.startsWith('.'))
    for (const entry of entries.sort((one, other) => (one.name < other.name ? -1 : 1))) {
      const inner = join(path, entry.name)
      // A link to a folder may lead back here.
      if (entry.isDirectory() || (await stat(inner)).isFile()) yield* walk(inner, `${name}/${entry.name}`)
    }
  }
}

async function hashed(path: string, onBytes: (bytes: number) => void) {
  const hash = createHash('sha256')
  let size_bytes = 0
  for await (const chunk of contentOfFile(path)) {
    hash.update(chunk)
    size_bytes += chunk.length
    onBytes(chunk.length)
  }
  return { size_bytes, digest: digestOfHash('sha256', hash) }
}

export const contentOfFile = (path: string): AsyncIterable<Buffer> =>
  createReadStream(path, { highWaterMark: CHUNK_BYTES })

/**
 * Puts a file into `folder`, whole or not at all; it takes the place of what has its name.
 * @param content  proves its digest by itself
 * @returns false: it was there already
 */
export async function placeFile(
  folder: string,
  file: BundleFile,
  content: AsyncIterable<Uint8Array>,
): Promise<boolean> {
  const path = join(folder, file.name)
  await makeFolders(folder, dirname(file.name))
  const there = await stat(path).catch(unlessMissing)
  if (there?.isFile() && there.size === file.size_bytes && (await hashed(path, () => {})).digest === file.digest)
    return false
  const partial = join(dirname(path), `.${basename(path)}.partial`)
  const write = (output: FileHandle) =>
    receive(content as AsyncIterable<Buffer>, output, { offset: 0, hash: undefined })
  await replaceFile(path, write, { mode: 0o644, unfinished: partial })
  return true
}

/** One by one: a link must not lead what comes elsewhere. */
async function makeFolders(folder: string, inner: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  let path = folder
  for (const part of inner === '.' ? [] : inner.split('/')) {
    path = join(path, part)
    await mkdir(path).catch(unlessThere)
    if (!(await lstat(path)).isDirectory())
      throw new BundleError(`${path} is no folder, and files of the bundle are to go into it. Move it away.`)
  }
}

const unlessThere = (error: unknown) => {
  if (codeOf(error) !== 'EEXIST') throw error
}
