/**
 * Copies an image from a folder of this box, hashing as it goes. A link would be quicker, and would let its owner
 * change it under us.
 */
import { createHash } from 'node:crypto'
import { type BigIntStats, constants } from 'node:fs'
import { type FileHandle, open, readlink } from 'node:fs/promises'
import { ImageUnacceptable, messageOf } from '../../errors.ts'
import { readPieces } from '../file/read-pieces.ts'
import { openSparseWriter } from '../file/sparse-writer.ts'
import { type Fetched, type FetchTo, refuseTooLarge, roomTaker } from './download.ts'
import { type ImageSource, refuseOutside } from './image-source.ts'

type FileSource = Extract<ImageSource, { kind: 'file' }>

/** Changes when the file does: for what is cached of an image without checksum. @throws ImageUnacceptable */
export async function fingerprintFile(source: FileSource, allowed: readonly string[]): Promise<string> {
  await using file = await openSource(source, allowed)
  return fingerprintOf(source.path, await file.stat({ bigint: true }))
}

const fingerprintOf = (path: string, { dev, ino, size, mtimeNs, ctimeNs }: BigIntStats) =>
  [path, dev, ino, size, mtimeNs, ctimeNs].join(' ')

/** @throws ImageUnacceptable, InsufficientStorage, InvalidParameterValue */
export async function copyFile(source: FileSource, allowed: readonly string[], to: FetchTo): Promise<Fetched> {
  await using file = await openSource(source, allowed)
  const before = await file.stat({ bigint: true })
  const total = Number(before.size)
  if (total === 0) throw new ImageUnacceptable(`Image ${source.shown} is empty. Put the image there.`)
  refuseTooLarge(total, source.shown, to.limit_bytes)
  await to.makeRoom(Math.min(total, Number(before.blocks) * 512))
  const hashes = to.algorithms.map((algorithm) => createHash(algorithm))
  await using writer = await openSparseWriter(to.path)
  const takeRoom = roomTaker(to, 0)
  let data_bytes = 0
  for await (const { bytes, isHole } of readPieces(file, total, to.signal)) {
    for (const hash of hashes) hash.update(bytes)
    if (!isHole) data_bytes += bytes.length
    await takeRoom(data_bytes)
    await (isHole ? writer.skip(bytes.length) : writer.write(bytes))
    to.progress(writer.size_bytes, total)
  }
  await writer.finish()
  const after = await file.stat({ bigint: true })
  if (fingerprintOf('', before) !== fingerprintOf('', after) || writer.size_bytes !== total) {
    throw new ImageUnacceptable(
      `Image ${source.shown} changed while it was copied. Put new images in place under another name and rename them, then deploy again.`,
    )
  }
  return {
    size_bytes: total,
    digests: Object.fromEntries(hashes.map((hash, index) => [to.algorithms[index], hash.digest('hex')])),
  }
}

/** What was opened is asked where it lies: since the path was checked, somebody may have put a link there. */
async function openSource({ path, shown }: FileSource, allowed: readonly string[]): Promise<FileHandle> {
  let file: FileHandle
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    throw new ImageUnacceptable(`Image ${shown} cannot be opened: ${messageOf(error)}.`, { cause: error })
  }
  try {
    refuseOutside(await readlink(`/proc/self/fd/${file.fd}`), shown, allowed)
    if (!(await file.stat()).isFile()) throw new ImageUnacceptable(`Image ${shown} is not a regular file.`)
    return file
  } catch (error) {
    await file.close()
    throw error
  }
}
