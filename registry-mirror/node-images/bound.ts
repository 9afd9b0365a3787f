/**
 * Finds the further images that an image names in a folder of its own tree, by quadlets (*.image, *.container) or
 * links to them. It reads the stored layers, which are hostile input: bytes and entries are bounded, and nothing of
 * them is written anywhere. It runs in a process of its own, which bounds time and memory.
 */
import { fstatSync, read } from 'node:fs'
import { posix } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import type { ApartGiven } from '@appliance/ground/apart'
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
/** Of one path, and of where a link leads: Linux knows no longer one. */
const PATH_LIMIT = 4096
/** Of one entry: an honest one has a dozen. */
const PAX_LIMIT = 1_000
/** Folders around a quadlet. */
const DEPTH_LIMIT = 64

const QUADLET = /\.(?:image|container)$/
const IMAGE = /^Image=(.+)$/m
/** @source OCI image-spec, layer.md: whiteouts */
const WHITEOUT = '.wh.'
const OPAQUE = '.wh..wh..opq'

/** `names`: the image that a quadlet names, if any. */
type Entry = { link: string } | { names: string | undefined }
/** By absolute path. */
type Tree = Map<string, Entry>
type Scan = { folder: string; signal: AbortSignal; budget: { bytes: number } }

/** For runApart. The files are the layers, from the lowest on. */
export function act({ folder }: { folder: string }, { files }: ApartGiven): Promise<string[]> {
  // Whoever waits for it ends the whole process.
  const { signal } = new AbortController()
  const layers = files.map((file) => async () => readerOf(file))
  return boundImages(layers, { folder, signal })
}

const readAt = promisify(read)
const readerOf = (file: number): BlobReader => ({
  size_bytes: fstatSync(file).size,
  read: async (buffer, length, position) => (await readAt(file, buffer, 0, length, position)).bytesRead,
  close: async () => {},
})

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
    const reference = nameAt(tree, path)
    if (reference) found.add(reference)
  }
  if (found.size > IMAGES_LIMIT)
    throw new RegistryError(`It names ${found.size} further images: at most ${IMAGES_LIMIT} are had.`)
  return [...found]
}

/** As a process in the image would, where the links are those of quadlets. */
function nameAt(tree: Tree, path: string): string | undefined {
  let at = path
  for (let hop = 0; hop <= LINKS_LIMIT; hop++) {
    // In a deployment, /etc begins as a copy of /usr/etc.
    const entry = tree.get(at) ?? (at.startsWith('/etc/') ? tree.get(`/usr${at}`) : undefined)
    if (entry === undefined || 'names' in entry) return entry?.names
    at = posix.resolve(posix.dirname(at), entry.link)
  }
  return undefined
}

async function applyLayer(tree: Tree, reader: BlobReader, scan: Scan): Promise<void> {
  const added: Tree = new Map()
  // A layer may remove a great deal: what matters of it is what lower layers have.
  const known = new Set([...tree.keys()].flatMap((path) => [path, ...foldersOf(path)]))
  const removed = new Set<string>()
  const tar = extract()
  const reading = (async () => {
    for await (const entry of tar as unknown as AsyncIterable<TarEntry>) {
      await noteEntry(entry, { added, known, removed, folder: scan.folder })
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
    // The reader stops the tar, which says no more than that it was stopped.
    const refused = await reading.catch((reason: unknown) => reason)
    const reason = refused instanceof RegistryError ? refused : error
    if (reason instanceof RegistryError) throw reason
    throw new RegistryError(`A layer of it cannot be read: ${(reason as Error).message}.`)
  }
  for (const path of tree.keys())
    if (removed.has(path) || foldersOf(path).some((folder) => removed.has(folder))) tree.delete(path)
  for (const [path, entry] of added) tree.set(path, entry)
  if (tree.size > ENTRIES_LIMIT) throw new RegistryError(`It holds more than ${ENTRIES_LIMIT} quadlets.`)
}

/** All that it lies in, but for the root. */
function foldersOf(path: string): string[] {
  const folders: string[] = []
  for (let end = path.indexOf('/', 1); end > 0; end = path.indexOf('/', end + 1)) folders.push(path.slice(0, end))
  return folders
}

type Noted = { added: Tree; known: ReadonlySet<string>; removed: Set<string>; folder: string }

type TarEntry = AsyncIterable<Uint8Array> & { header: Header; resume(): void }

async function noteEntry(entry: TarEntry, { added, known, removed, folder }: Noted): Promise<void> {
  const { name, type, linkname, size, pax } = entry.header
  const records = Object.keys(pax ?? {}).length
  // Each entry gets a copy of them all.
  if (records > PAX_LIMIT)
    throw new RegistryError(`A layer of it has an entry with ${records} pax records: at most ${PAX_LIMIT} are read.`)
  if (name.length > PATH_LIMIT)
    throw new RegistryError(`A layer of it has a path of ${name.length} characters: at most ${PATH_LIMIT} can be had.`)
  const path = posix.resolve('/', name)
  const base = posix.basename(path)
  const parent = posix.dirname(path)
  const gone =
    base === OPAQUE ? parent : base.startsWith(WHITEOUT) ? posix.join(parent, base.slice(WHITEOUT.length)) : undefined
  if (gone !== undefined && known.has(gone)) removed.add(gone)
  const isWanted = parent === folder || (QUADLET.test(path) && path.split('/', DEPTH_LIMIT + 1).length <= DEPTH_LIMIT)
  if (!isWanted || type === 'directory' || added.size > ENTRIES_LIMIT) return
  if (linkname) {
    if (linkname.length > PATH_LIMIT) return
    added.set(path, { link: type === 'link' ? posix.resolve('/', linkname) : linkname })
  } else if (type === 'file' && (size ?? 0) <= QUADLET_LIMIT_BYTES)
    added.set(path, {
      names: IMAGE.exec(await textOf(entry))?.[1]
        ?.trim()
        .slice(0, PATH_LIMIT),
    })
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
