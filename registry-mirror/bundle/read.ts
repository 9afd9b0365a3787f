/**
 * Reads a bundle's tar, which may come from anywhere: what follows its index must be what the index lists, in its
 * order and nothing else.
 */
import { once } from 'node:events'
import { type Extract, extract, type Header } from 'tar-stream'
import { readAll } from './ask.ts'
import { parseBundleIndex } from './check-index.ts'
import {
  type BundleEntry,
  BundleError,
  type BundleIndex,
  CHECKSUM_NAME,
  checksumOf,
  entriesOf,
  INDEX_LIMIT_BYTES,
  INDEX_NAME,
  refuseRecords,
} from './format.ts'
import { verified } from './verified.ts'

/** A header for each, the rest of its last block, and what a long name takes. */
const TAR_BYTES_EACH = 4096
const CHECKSUM_LIMIT_BYTES = 1024
const BLOCK_BYTES = 512
/** Behind the last entry: zeros up to the size of a tape's record. */
const TAIL_BYTES = 1024 * 1024

export type BundleReader = {
  index: BundleIndex
  /**
   * In the order of the tar. What is not read of an entry's content is verified all the same, before the next one
   * comes.
   */
  entries(): AsyncGenerator<FoundEntry, void>
}
/** `end`: where the next one begins in the tar. */
type FoundEntry = { entry: BundleEntry; content: AsyncIterable<Uint8Array>; end: number }
/** Bytes that have passed, and how many there will be; 0 until that is known. */
export type OnProgress = (done_bytes: number, total_bytes: number) => void

type Entries = AsyncIterator<AsyncIterable<Uint8Array> & { header: Header; offset: number }, undefined>
type Bounds = { limit_bytes: number; total_bytes: number; onProgress: OnProgress }

/** @throws BundleError, also out of what it hands to `act` */
export async function readBundle<T>(
  source: AsyncIterable<Uint8Array>,
  act: (reader: BundleReader) => Promise<T>,
  onProgress: OnProgress = () => {},
): Promise<T> {
  const bounds: Bounds = { limit_bytes: INDEX_LIMIT_BYTES + TAIL_BYTES, total_bytes: 0, onProgress }
  const tar = extract()
  const found = tar[Symbol.asyncIterator]() as unknown as Entries
  let failure: Error | undefined
  tar.on('error', (error) => {
    failure ??= error
  })
  const fed = feed(tar, bounded(source, bounds)).catch((error: Error) => tar.destroy(error))
  try {
    const index = await readIndex(found)
    const expected = entriesOf(index)
    bounds.total_bytes = expected.reduce((sum, { size_bytes }) => sum + size_bytes, 0)
    bounds.limit_bytes += bounds.total_bytes + expected.length * TAR_BYTES_EACH
    return await act({ index, entries: () => readEntries(found, expected) })
  } catch (error) {
    throw toldOf(error, failure)
  } finally {
    tar.destroy()
    await fed
  }
}

async function feed(tar: Extract, source: AsyncIterable<Uint8Array>): Promise<void> {
  const closed = once(tar, 'close').catch(() => {})
  for await (const chunk of source) {
    if (!tar.write(chunk)) await Promise.race([once(tar, 'drain'), closed])
    if (tar.destroying) return
  }
  tar.end(null)
}

async function readIndex(found: Entries): Promise<BundleIndex> {
  const { value: first, done } = await found.next()
  if (done || first.header.name !== INDEX_NAME)
    throw new BundleError(
      `This is no bundle: it begins with ${done ? 'nothing' : `'${first.header.name}'`}, not with ${INDEX_NAME}.`,
    )
  checkKind(first.header)
  const bytes = await readAll(first, INDEX_LIMIT_BYTES)
  const { value: second } = await found.next()
  const checksum = second?.header.name === CHECKSUM_NAME ? (await readAll(second, CHECKSUM_LIMIT_BYTES)).toString() : ''
  if (checksum !== checksumOf(bytes))
    throw new BundleError(`The bundle is damaged: its index does not match ${CHECKSUM_NAME}. Copy it again.`)
  return parseBundleIndex(bytes)
}

async function* readEntries(found: Entries, expected: readonly BundleEntry[]): ReturnType<BundleReader['entries']> {
  for (const entry of expected) {
    const { value, done } = await found.next()
    if (done) throw new BundleError(`The bundle is not whole: ${entry.name} and what should follow is missing.`)
    checkHeader(value.header, entry)
    const content = verified(value, entry, `${entry.name} in the bundle`)
    const end = value.offset + BLOCK_BYTES + Math.ceil(entry.size_bytes / BLOCK_BYTES) * BLOCK_BYTES
    yield { entry, content, end }
    for await (const _ of content);
  }
  const { value, done } = await found.next()
  if (!done) throw new BundleError(`The bundle holds ${shown(value.header.name)}, which its index does not list.`)
}

function checkHeader(header: Header, { name, size_bytes }: BundleEntry): void {
  if (header.name !== name)
    throw new BundleError(`The bundle holds ${shown(header.name)} where its index lists ${name}.`)
  checkKind(header)
  if (header.size !== size_bytes)
    throw new BundleError(`${name} in the bundle has ${header.size} bytes, its index says ${size_bytes}.`)
}

/** No links, devices, folders or anything else. */
function checkKind(header: Header): void {
  const { name, type } = header
  refuseRecords(header)
  if (type !== 'file')
    throw new BundleError(`${shown(name)} in the bundle is a ${type ?? 'thing of no known kind'}: expected a file.`)
}

const shown = (name: string) => JSON.stringify(name.slice(0, 300))

async function* bounded(source: AsyncIterable<Uint8Array>, bounds: Bounds): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of source) {
    bytes += chunk.length
    if (bytes > bounds.limit_bytes) throw new BundleError('The bundle is longer than its index says.')
    bounds.onProgress(Math.min(bytes, bounds.total_bytes), bounds.total_bytes)
    yield chunk
  }
}

/** What tar-stream says of a tar, in words for the operator; what is none of its errors passes. */
function toldOf(error: unknown, failure: Error | undefined): unknown {
  const { message } = error as Error
  // The reader of an entry gets this error, whatever the reason was.
  if (message === 'Stream was destroyed' && failure !== undefined && failure !== error)
    return toldOf(failure, undefined)
  if (message === 'Unexpected end of data' || message === 'Stream was destroyed')
    return new BundleError('The bundle is not whole: it ends in the middle. Copy it again.', { cause: error })
  if (/^(Header exceeds max size|Invalid header|Invalid tar header)/.test(message))
    return new BundleError(`The bundle is damaged, or no tar at all: ${message}.`, { cause: error })
  return error
}
