/**
 * From an upstream's or a folder's file to a cache entry: fetch, verify, look, convert, hash, compress. A table of
 * contents of it.
 */
import { open, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { sync } from '@appliance/ground/files'
import type { Config } from '../config/options.ts'
import { ImageUnacceptable, InsufficientStorage, messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { ImageVariant } from '../plugin-api/index.ts'
import { type EntryRecord, fileOf } from './cache/entry.ts'
import type { Waiter } from './cache/flights.ts'
import { compress } from './format/compress.ts'
import { convertToRaw, refuseDamaged } from './format/convert.ts'
import { refuseCutDisk } from './format/cut-disk.ts'
import { hashFile } from './format/hash-file.ts'
import { checkFormat, detectFormat, HEAD_BYTES, isRaw } from './format/image-format.ts'
import { checkQcow2 } from './format/qcow2.ts'
import { type Checksum, isStrong } from './source/checksum.ts'
import { copyFile } from './source/copy-file.ts'
import { download, type Fetched, type FetchTo } from './source/download.ts'
import { shownUrl } from './source/image-source.ts'
import type { Upstream } from './source/upstream.ts'
import type { ImageOrder } from './validate-image.ts'

export type Workshop = {
  config: Config
  log: Log
  upstream: Upstream
  makeRoom(bytes: number, what: string): Promise<void>
  keepRoom(bytes: number, what: string): Promise<void>
  watchRoom(what: string): Disposable & { signal: AbortSignal }
}
export type Preparation = {
  order: ImageOrder
  expected: Checksum | undefined
  /** Make it raw, whatever it is. */
  convert: boolean
  /** To be filled. */
  folder: string
  flight: Waiter
}

/** Larger than any operating system's image; hashing as many zeros takes minutes. */
export const SIZE_LIMIT_BYTES = 512 * 1024 ** 3

/** @throws ImageUnacceptable, InsufficientStorage, InvalidParameterValue */
export async function prepareImage(shop: Workshop, job: Preparation): Promise<EntryRecord> {
  const { order, expected, convert, folder } = job
  const { shown } = order.source
  const fetchedFile = join(folder, 'fetched')
  const fetched = await fetchImage(shop, job, fetchedFile)
  verify(fetched, expected, order)
  const head = await readHead(fetchedFile)
  const detected = detectFormat(head)
  // What the node says of it is compared for each node that waits, afterwards.
  checkFormat(detected, undefined, shop.config.conductor.permitted_image_formats, shown)
  const virtual_bytes = detected === 'qcow2' ? checkQcow2(head, fetched.size_bytes, SIZE_LIMIT_BYTES, shown) : undefined
  if (virtual_bytes !== undefined) {
    await refuseDamaged({ from: fetchedFile, size_bytes: virtual_bytes, shown, signal: job.flight.signal })
  }
  if (isRaw(detected)) refuseCutDisk(head, fetched.size_bytes, shown)
  const image = fileOf(folder, 'identity')
  const found = { version: 1 as const, source: shown, detected }
  if (virtual_bytes === undefined || !convert) {
    await rename(fetchedFile, image)
    const checksum = servedChecksum(fetched, expected)
    const syncing = sync(image)
    // It may fail before anybody waits for it; who waits for it hears of it all the same.
    syncing.catch(() => {})
    const variants = isRaw(detected) ? await makeZstd(shop, job, fetched.size_bytes) : []
    await syncing
    return { ...found, format: isRaw(detected) ? 'raw' : 'qcow2', size_bytes: fetched.size_bytes, checksum, variants }
  }
  await convertInto(shop, job, { from: fetchedFile, to: image, fetched_bytes: fetched.size_bytes, virtual_bytes })
  refuseCutDisk(await readHead(image), virtual_bytes, shown)
  const algorithm = isStrong(expected) ? expected.algorithm : 'sha256'
  return { ...found, ...(await finishRaw(shop, job, algorithm)) }
}

/** Hashes, compresses and makes durable the raw image that lies in the folder. */
export async function finishRaw(
  shop: Pick<Workshop, 'log' | 'watchRoom'>,
  job: Pick<Preparation, 'folder' | 'flight'> & { order: { source: { shown: string } } },
  algorithm: string,
): Promise<Omit<EntryRecord, 'version' | 'source' | 'detected'>> {
  const { folder, flight } = job
  const { shown } = job.order.source
  const image = fileOf(folder, 'identity')
  const { size: size_bytes } = await stat(image)
  if (size_bytes === 0) throw new ImageUnacceptable(`Image ${shown} is empty after it was made raw.`)
  const both = new AbortController()
  const signal = AbortSignal.any([flight.signal, both.signal])
  const hashing = hashFile(image, algorithm, signal, (done) =>
    flight.progress({ note: 'hashing and compressing the image', done, total: size_bytes, unit: 'bytes' }),
  )
  const compressing = makeZstd(shop, { ...job, flight: { signal, progress: () => {} } }, size_bytes)
  try {
    const [value, variants] = await Promise.all([hashing, compressing, sync(image)])
    return { format: 'raw', size_bytes, checksum: { algorithm, value }, variants }
  } catch (error) {
    both.abort(error)
    await Promise.allSettled([hashing, compressing])
    throw error
  }
}

type Fetching = Pick<Preparation, 'expected' | 'flight'> & {
  order: Pick<ImageOrder, 'source' | 'authorization'>
  /** As its progress calls it: image when left out. */
  what?: string
}

export async function fetchImage(
  shop: Workshop,
  { order, expected, flight, what = 'image' }: Fetching,
  path: string,
): Promise<Fetched> {
  const { source } = order
  const verb = source.kind === 'http' ? 'downloading' : 'copying'
  const to: FetchTo = {
    path,
    algorithms: [...new Set([...(expected ? [expected.algorithm] : []), ...(isStrong(expected) ? [] : ['sha256'])])],
    limit_bytes: SIZE_LIMIT_BYTES,
    makeRoom: (bytes) => shop.makeRoom(bytes, `Image ${source.shown}`),
    keepRoom: (bytes) => shop.keepRoom(bytes, `Image ${source.shown}`),
    progress: (done, total) =>
      flight.progress({ note: `${verb} the ${what}`, done, unit: 'bytes', ...(total === undefined ? {} : { total }) }),
    signal: flight.signal,
  }
  return source.kind === 'http'
    ? download(shop.upstream, source.url, order.authorization, to)
    : copyFile(source, shop.config.conductor.file_url_allowed_paths, to)
}

/**
 * Tells neither the digest of what came nor what a list of checksums holds: either may be somebody else's page.
 * @throws ImageUnacceptable
 */
export function verify(
  { digests, size_bytes }: Fetched,
  expected: Checksum | undefined,
  { source, stated }: Pick<ImageOrder, 'source' | 'stated'>,
): void {
  if (expected === undefined || digests[expected.algorithm] === expected.value) return
  const wanted = stated && 'url' in stated ? `the one that ${shownUrl(stated.url)} tells` : expected.value
  throw new ImageUnacceptable(
    `The supplied image checksum is invalid or does not match: image ${source.shown} (${size_bytes} bytes) has another ${expected.algorithm} than ${wanted}. Correct image_checksum or image_os_hash_value, or the image.`,
  )
}

/** The given one is kept when it is strong; sha256 otherwise. @source Ironic deploy_utils._cache_and_convert_image */
export function servedChecksum(fetched: Fetched, expected: Checksum | undefined): Checksum {
  return isStrong(expected) ? expected : { algorithm: 'sha256', value: fetched.digests.sha256 ?? '' }
}

export async function readHead(path: string): Promise<Buffer> {
  await using file = await open(path, 'r')
  const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0)
  return buffer.subarray(0, bytesRead)
}

type Sizes = { from: string; to: string; fetched_bytes: number; virtual_bytes: number }

async function convertInto(shop: Workshop, job: Preparation, sizes: Sizes): Promise<void> {
  const { from, to, fetched_bytes, virtual_bytes } = sizes
  const { shown } = job.order.source
  // @source Ironic images.converted_size: an image is sparse, and seldom grows more than this.
  const estimate = Math.min(virtual_bytes, fetched_bytes * shop.config.DEFAULT.raw_image_growth_factor)
  await shop.makeRoom(estimate, `Image ${shown} as raw`)
  const progress = (done: number) =>
    job.flight.progress({ note: 'converting the image to raw', done, total: virtual_bytes, unit: 'bytes' })
  // What the image says of its size is a stranger's word.
  using room = shop.watchRoom(`The conversion of image ${shown} to raw`)
  const signal = AbortSignal.any([job.flight.signal, room.signal])
  await convertToRaw({ from, to, size_bytes: virtual_bytes, shown, progress, signal })
  await rm(from)
}

/** An image can do without: a compressor that fails costs time on the wire, no deploy. */
async function makeZstd(
  { log, watchRoom }: Pick<Workshop, 'log' | 'watchRoom'>,
  { folder, flight, order }: Pick<Preparation, 'folder' | 'flight'> & { order: { source: { shown: string } } },
  size_bytes: number,
): Promise<ImageVariant[]> {
  const { shown } = order.source
  const to = fileOf(folder, 'zstd')
  const progress = (done: number) =>
    flight.progress({ note: 'compressing the image', done, total: size_bytes, unit: 'bytes' })
  try {
    const from = fileOf(folder, 'identity')
    using room = watchRoom(`The zstd form of image ${shown}`)
    const signal = AbortSignal.any([flight.signal, room.signal])
    const variant = await compress({ encoding: 'zstd', from, to, size_bytes, shown, progress, signal })
    if (variant) await sync(to)
    return variant ? [variant] : []
  } catch (error) {
    flight.signal.throwIfAborted()
    const isOurs = error instanceof ImageUnacceptable || error instanceof InsufficientStorage
    if (!isOurs && (error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    await rm(to, { force: true })
    log.warn('image is served uncompressed', { source: shown, why: messageOf(error) })
    return []
  }
}
