/** Writes a bundle's tar, entry by entry. Takes no more into memory than is on its way. */
import { once } from 'node:events'
import { type Pack, pack } from 'tar-stream'
import { type BundleEntry, type BundleIndex, CHECKSUM_NAME, checksumOf, entriesOf, INDEX_NAME } from './format.ts'
import { verified } from './verified.ts'

/** Where the content of an entry is read from; it is verified as it passes. */
export type ContentOf = (entry: BundleEntry) => Promise<AsyncIterable<Uint8Array>>

/**
 * The tar as it is to be written. Ends in what `contentOf` throws, or when an entry's content is not what the index
 * says.
 * @param written  so many entries are there already, and the index: only what follows them is wanted
 */
export async function* bundleBytes(
  index: BundleIndex,
  contentOf: ContentOf,
  written?: number,
): AsyncGenerator<Uint8Array, void> {
  const tar = pack()
  const writing = writeEntries(tar, index, { contentOf, written }).catch((error: Error) => tar.destroy(error))
  try {
    yield* tar as AsyncIterable<Uint8Array>
  } finally {
    tar.destroy()
    await writing
  }
}

type Writing = { contentOf: ContentOf; written: number | undefined }

async function writeEntries(tar: Pack, index: BundleIndex, { contentOf, written }: Writing): Promise<void> {
  // The same bundle is to have the same bytes, wherever and whenever it is made.
  const mtime = new Date(0)
  const first = Buffer.from(JSON.stringify(index))
  if (written === undefined) {
    await writeEntry(tar, { name: INDEX_NAME, size: first.length, mtime }, [first])
    const checksum = Buffer.from(checksumOf(first))
    await writeEntry(tar, { name: CHECKSUM_NAME, size: checksum.length, mtime }, [checksum])
  }
  for (const entry of entriesOf(index).slice(written)) {
    const content = entry.kind === 'layout' ? [entry.bytes] : verified(await contentOf(entry), entry, entry.name)
    await writeEntry(tar, { name: entry.name, size: entry.size_bytes, mtime }, content)
  }
  tar.finalize()
}

async function writeEntry(
  tar: Pack,
  header: { name: string; size: number; mtime: Date },
  content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const sink = tar.entry(header)
  const closed = once(sink, 'close')
  // The read may fail before anybody waits for it; the caller gets the error all the same.
  closed.catch(() => {})
  for await (const chunk of content) {
    if (!sink.write(chunk)) await Promise.race([once(sink, 'drain'), closed])
    if (sink.destroying) break
  }
  sink.end(null)
  await closed
}
