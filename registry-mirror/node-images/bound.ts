/**
 * Finds the further images that an image names in a folder of its own tree, by quadlets (*.image, *.container) or
 * links to them. It reads the stored layers, which are hostile input: time, bytes and entries are bounded, and
 * nothing of them is written anywhere.
 */
import { posix } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { extract, type Header } from 'tar-stream'
import { RegistryError } from '../oci/errors.ts'
import type { BlobReader } from '../storage/blobs.ts'

const CHUNK_BYTES = 512 * 1024
const QUADLET_LIMIT_BYTES = 64 * 1024
/** Quadlets and links that are remembered. */
const ENTRIES_LIMIT = 5_000
const IMAGES_LIMIT = 100
const LINKS_LIMIT = 8
const UNPACKED_LIMIT_BYTES = 64 * 1024 ** 3

const QUADLET = /\.(?:image|container)$/
const IMAGE = /^Image=(.+)$/m
/** @source OCI image-spec, layer.md: whiteouts */
const WHITEOUT = '.wh.'
const OPAQUE = '.wh..wh..opq'

type Entry = { link: string } | { text: string }
/** By absolute path. */
type Tree = Map<string, Entry>
type Scan = { folder: string; signal: AbortSignal; budget: { bytes: number } }

/**
 * @param layers  from the lowest on
 * @param folder  absolute, in the image
 * @returns references, each once, in no particular order
 * @throws RegistryError  a layer cannot be read, or holds more than is looked at
 */
export async function boundImages(
  layers: readonly (() => Promise<BlobReader>)[],
  { folder, signal }: { folder: string; signal: AbortSignal },
): Promise<string[]> {
  const scan: Scan = { folder, signal, budget: { bytes: UNPACKED_LIMIT_BYTES } }
  const tree: Tree = new Map()
  for (const open of layers) {
    const reader = await open()
    try {
      await applyLayer(tree, reader, scan)
    } finally {
      await reader.close()
    }
  }
  const found = new Set<string>()
  for (const path of tree.keys()) {
    if (posix.dirname(path) !== folder) continue
    const reference = IMAGE.exec(textAt(tree, path) ?? '')?.[1]?.trim()
    if (reference) found.add(reference)
  }
  if (found.size > IMAGES_LIMIT)
    throw new RegistryError(`It names ${found.size} further images: at most ${IMAGES_LIMIT} are had.`)
  return [...found]
}

/** As a process in the image would, where the links are those of quadlets. */
function textAt(tree: Tree, path: string): string | undefined {
  let at = path
  for (let hop = 0; hop <= LINKS_LIMIT; hop++) {
    // In a deployment, /etc begins as a copy of /usr/etc.
    const entry = tree.get(at) ?? (at.startsWith('/etc/') ? tree.get(`/usr${at}`) : undefined)
    if (entry === undefined || 'text' in entry) return entry?.text
    at = posix.resolve(posix.dirname(at), entry.link)
  }
  return undefined
}

async function applyLayer(tree: Tree, reader: BlobReader, scan: Scan): Promise<void> {
  const added: Tree = new Map()
  const removed: string[] = []
  const tar = extract()
  const reading = (async () => {
    for await (const entry of tar as unknown as AsyncIterable<TarEntry>) {
      await noteEntry(entry, { added, removed, folder: scan.folder })
      // What was not read of it is passed over.
      entry.resume()
    }
  })()
  reading.catch(() => {})
  try {
    const source = Readable.from(chunksOf(reader))
    const unpack = await unpackerOf(reader)
    const count = (bytes: AsyncIterable<Buffer>) => counted(bytes, scan.budget)
    if (unpack) await pipeline(source, unpack, count, tar, { signal: scan.signal })
    else await pipeline(source, count, tar, { signal: scan.signal })
    await reading
  } catch (error) {
    scan.signal.throwIfAborted()
    const reason = (error as Error).message
    throw error instanceof RegistryError ? error : new RegistryError(`A layer of it cannot be read: ${reason}.`)
  }
  for (const path of removed)
    for (const known of tree.keys()) if (known === path || known.startsWith(`${path}/`)) tree.delete(known)
  for (const [path, entry] of added) tree.set(path, entry)
  if (tree.size > ENTRIES_LIMIT) throw new RegistryError(`It holds more than ${ENTRIES_LIMIT} quadlets.`)
}

type Noted = { added: Tree; removed: string[]; folder: string }

type TarEntry = AsyncIterable<Uint8Array> & { header: Header; resume(): void }

async function noteEntry(entry: TarEntry, { added, removed, folder }: Noted): Promise<void> {
  const { name, type, linkname, size } = entry.header
  const path = posix.resolve('/', name)
  const base = posix.basename(path)
  const parent = posix.dirname(path)
  const isWanted = parent === folder || QUADLET.test(path)
  if (base === OPAQUE) removed.push(parent)
  else if (base.startsWith(WHITEOUT)) removed.push(posix.join(parent, base.slice(WHITEOUT.length)))
  if (!isWanted || type === 'directory' || added.size + removed.length > ENTRIES_LIMIT) return
  if (linkname) added.set(path, { link: type === 'link' ? posix.resolve('/', linkname) : linkname })
  else if (type === 'file' && (size ?? 0) <= QUADLET_LIMIT_BYTES) added.set(path, { text: await textOf(entry) })
}

async function textOf(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of bytes) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

async function* chunksOf(reader: BlobReader): AsyncGenerator<Buffer> {
  for (let at = 0; at < reader.size_bytes; ) {
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, reader.size_bytes - at))
    const bytes = await reader.read(buffer, buffer.length, at)
    if (bytes === 0) throw new Error(`it ends at ${at} of ${reader.size_bytes} bytes`)
    at += bytes
    yield buffer.subarray(0, bytes)
  }
}

/** Decides by the first bytes: media types are sometimes wrong. */
async function unpackerOf(reader: BlobReader) {
  const start = Buffer.alloc(4)
  await reader.read(start, start.length, 0)
  if (start[0] === 0x1f && start[1] === 0x8b) return createGunzip()
  return start.readUInt32LE() === 0xfd2fb528 ? createZstdDecompress() : undefined
}

async function* counted(bytes: AsyncIterable<Buffer>, budget: Scan['budget']): AsyncGenerator<Buffer> {
  for await (const chunk of bytes) {
    budget.bytes -= chunk.length
    if (budget.bytes < 0) throw new RegistryError('Its layers unpack to more than is looked at.')
    yield chunk
  }
}
