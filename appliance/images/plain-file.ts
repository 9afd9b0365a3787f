/**
 * Files beside a node's image: kernel, ramdisk, ISO, squashfs. Fetched and verified as images are, and handed out as
 * they came.
 */
import { randomUUID } from 'node:crypto'
import { readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { sync } from '@appliance/ground/files'
import type { Config } from '../config/options.ts'
import { ImageUnacceptable, InvalidParameterValue } from '../errors.ts'
import { type Entry, type EntryRecord, fileOf } from './cache/entry.ts'
import type { Waiter } from './cache/flights.ts'
import { detectFormat, refuseWebPage } from './format/image-format.ts'
import type { FileRequest } from './images.ts'
import { fetchImage, readHead, servedChecksum, verify, type Workshop } from './prepare-image.ts'
import { type Checksum, fileChecksum, isStrong, type StatedChecksum } from './source/checksum.ts'
import { fingerprintFile } from './source/copy-file.ts'
import { type ImageSource, parseImageSource } from './source/image-source.ts'
import { discard, type Upstream } from './source/upstream.ts'

/** Of a file that is read as a text. */
const TEXT_LIMIT_BYTES = 256 * 1024
/** Of what follows a file's name in its address. */
const AS = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}(\/[A-Za-z0-9][A-Za-z0-9._-]{0,63}){0,3}$/

export type FileOrder = { source: ImageSource; href: string; stated: StatedChecksum | undefined }

/** @throws InvalidParameterValue */
export function readFileOrder(
  { href, checksum, field }: Pick<FileRequest, 'href' | 'checksum' | 'field'>,
  config: Config,
): FileOrder {
  try {
    const source = parseImageSource(href, config.conductor.file_url_allowed_paths)
    const about = `The checksum of ${field} (${source.shown})`
    return { source, href, stated: checksum === undefined ? undefined : fileChecksum(checksum, about) }
  } catch (error) {
    throw inWordsOf(field, error)
  }
}

/**
 * What is the same for the same content, as far as anybody can tell without fetching it.
 * Without a checksum, an http server that tells neither ETag nor Last-Modified is asked for all of it each time.
 */
export async function identityOf(
  { source, href }: FileOrder,
  expected: Checksum | undefined,
  { config, upstream, signal }: { config: Config; upstream: Upstream; signal: AbortSignal },
): Promise<readonly (string | undefined)[]> {
  const stated = expected && [expected.algorithm, expected.value]
  if (stated && isStrong(expected)) return ['file', ...stated]
  if (source.kind === 'file') return ['file', await fingerprintFile(source, config.conductor.file_url_allowed_paths)]
  if (stated) return ['file', href, ...stated]
  const told = await upstream.ask(source.url, { method: 'HEAD', signal })
  discard(told)
  const { etag, 'last-modified': modified, 'content-length': length } = told.headers
  const isTold = told.status === 200 && (etag ?? modified) !== undefined
  return ['file', href, ...(isTold ? [etag, modified, length].map((value) => value && String(value)) : [randomUUID()])]
}

export type FilePreparation = { order: FileOrder; expected: Checksum | undefined; folder: string; flight: Waiter }

/** @throws ImageUnacceptable, InsufficientStorage, InvalidParameterValue */
export async function prepareFile(shop: Workshop, job: FilePreparation): Promise<EntryRecord> {
  const { order, expected, folder, flight } = job
  const { shown } = order.source
  const fetchedFile = join(folder, 'fetched')
  const from = { source: order.source, authorization: undefined }
  const fetched = await fetchImage(shop, { order: from, expected, flight, what: 'file' }, fetchedFile)
  verify(fetched, expected, order)
  const detected = detectFormat(await readHead(fetchedFile))
  refuseWebPage(detected, shown)
  const to = fileOf(folder, 'identity')
  await rename(fetchedFile, to)
  await sync(to)
  const checksum = servedChecksum(fetched, expected)
  return {
    version: 1,
    source: shown,
    detected,
    format: 'file',
    size_bytes: fetched.size_bytes,
    checksum,
    variants: [],
  }
}

/** How the address of a file is to end. @throws InvalidParameterValue  a plugin's fault */
export function endOf({ as, field }: Pick<FileRequest, 'as' | 'field'>, format: string): string | undefined {
  const end = typeof as === 'function' ? as(format) : as
  if (end === undefined || AS.test(end)) return end
  throw new InvalidParameterValue(`${field} is to be served as ${JSON.stringify(end)}: a plain name is expected.`)
}

/** @throws ImageUnacceptable  too large, or no UTF-8 */
export async function readText({ source, size_bytes, folder }: Entry): Promise<string> {
  if (size_bytes > TEXT_LIMIT_BYTES) {
    throw new ImageUnacceptable(
      `File ${source} has ${size_bytes} bytes: a text of at most ${TEXT_LIMIT_BYTES} is expected.`,
    )
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(fileOf(folder, 'identity')))
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw new ImageUnacceptable(`File ${source} is no text: it is not UTF-8.`, { cause: error })
  }
}

/** What is below was written for images, and names image_source: here somebody wrote another field. */
export function inWordsOf(field: string, error: unknown): unknown {
  const Kind = [ImageUnacceptable, InvalidParameterValue].find((kind) => error instanceof kind)
  return Kind ? new Kind(inFieldsWords((error as Error).message, field), { cause: error }) : error
}

const inFieldsWords = (message: string, field: string) =>
  message
    .replace(/\b(Set|Correct|and|in) image_source\b/g, `$1 ${field}`)
    .replace(/\bimage_checksum or image_os_hash_value\b/g, 'its checksum')
