/**
 * Reads any OCI image layout in one tar, such as skopeo's oci-archive, as if it were a bundle. Its content may stand
 * in any order, so it must be a file that can be read at any place. It may come from anywhere: of its names, only
 * those of a layout count.
 */
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { parseJson } from '@appliance/ground/json-meter'
import { extract, type Header } from 'tar-stream'
import { algorithmOf, type Digest, hexOf, parseDigest } from '../oci/digest.ts'
import { OciError } from '../oci/errors.ts'
import { MANIFEST_LIMIT_BYTES, MANIFEST_MEDIA_TYPES, type Manifest, parseManifest } from '../oci/manifest.ts'
import { parseName, parseTag, type RepositoryName, type Tag } from '../oci/names.ts'
import { readAll } from './ask.ts'
import {
  type BundleBlob,
  BundleError,
  type BundleImage,
  type BundleManifest,
  ENTRY_LIMIT,
  entriesOf,
  FORMAT,
  INDEX_NAME,
  refuseRecords,
} from './format.ts'
import type { BundleReader, OnProgress } from './read.ts'
import { verified } from './verified.ts'

const CHUNK_BYTES = 1024 * 1024
const NAME_BYTES = 100
const NAMES = /^(?:index\.json|blobs\/sha(?:256|512)\/[0-9a-f]+)$/
/** Each may be of a repository of its own, which every blob of it remembers. */
const IMAGES_LIMIT = 1_000
/** An index in an index in an index is none that anybody needs. */
const DEPTH_LIMIT = 4
/** @source OCI image-spec, annotations.md */
const REF_NAME = 'org.opencontainers.image.ref.name'

type Place = { start: number; size_bytes: number }
type Descriptor = { mediaType?: unknown; digest?: unknown; annotations?: Record<string, unknown> | null }
/** What the images of an archive are to be called, where it does not say so itself. */
export type Naming = { repository: RepositoryName; tag?: Tag }

/** A file that begins with anything but the index of one is none; of a pipe, nothing can be read twice. */
export async function isBundle(path: string): Promise<boolean> {
  if (!(await stat(path)).isFile()) return true
  await using file = await open(path)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(NAME_BYTES), 0, NAME_BYTES, 0)
  return buffer.toString('latin1', 0, bytesRead).split('\0')[0] === INDEX_NAME
}

/** @throws BundleError  `text` is neither REPOSITORY nor REPOSITORY:TAG */
export function parseNaming(text: string): Naming {
  const [, nameText = '', tagText] = /^(.+?)(?::([^/:]+))?$/.exec(text) ?? []
  const repository = parseName(nameText.replace(/^([a-z0-9.-]+):(\d+\/)/, '$1_$2'))
  const tag = tagText === undefined ? undefined : parseTag(tagText)
  if (repository === undefined || (tagText !== undefined && tag === undefined))
    throw new BundleError(
      `'${text}' names no image: expected REPOSITORY or REPOSITORY:TAG, such as quay.io/org/app:v1.`,
    )
  return { repository, ...(tag && { tag }) }
}

/** @throws BundleError  it is none, or not whole */
export async function readArchive(
  path: string,
  { naming, onProgress = () => {} }: { naming?: Naming; onProgress?: OnProgress },
): Promise<BundleReader> {
  const archive = new Archive(path, await placesIn(path))
  await archive.plan(naming)
  return archive.reader(onProgress)
}

/** Where each file of the layout lies. */
async function placesIn(path: string): Promise<Map<string, Place>> {
  const places = new Map<string, Place>()
  const tar = extract()
  const reading = (async () => {
    for await (const entry of tar as unknown as AsyncIterable<{ header: Header; resume(): void }>) {
      const { name: told, type, size = 0 } = entry.header
      refuseRecords(entry.header)
      const name = told.replace(/^\.\//, '')
      if (NAMES.test(name) && type === 'file') {
        if (places.has(name)) throw new BundleError(`The archive holds ${name} twice.`)
        if (places.size >= ENTRY_LIMIT) throw new BundleError(`The archive holds more than ${ENTRY_LIMIT} files.`)
        places.set(name, { start: (entry.header as Header & { byteOffset: number }).byteOffset, size_bytes: size })
      }
      entry.resume()
    }
  })()
  reading.catch((error: Error) => tar.destroy(error))
  try {
    await pipeline(createReadStream(path, { highWaterMark: CHUNK_BYTES }), tar)
    await reading
  } catch (error) {
    if (error instanceof BundleError) throw error
    await reading.catch((reason: unknown) => {
      if (reason instanceof BundleError) throw reason
    })
    throw new BundleError(`This is no bundle and no OCI archive: ${(error as Error).message}.`, { cause: error })
  }
  return places
}

class Archive {
  readonly #path: string
  readonly #places: ReadonlyMap<string, Place>
  readonly #images: BundleImage[] = []
  readonly #blobs = new Map<Digest, BundleBlob>()
  /** What one refers to stands before it. */
  readonly #manifests = new Map<Digest, BundleManifest>()

  constructor(path: string, places: ReadonlyMap<string, Place>) {
    this.#path = path
    this.#places = places
  }

  async plan(naming: Naming | undefined): Promise<void> {
    const place = this.#places.get('index.json')
    if (place === undefined || place.size_bytes > MANIFEST_LIMIT_BYTES)
      throw new BundleError(
        'This is no bundle and no OCI archive: it has no index.json. Make one of it by skopeo copy docker-archive:FILE oci-archive:OTHER.',
      )
    const descriptors = descriptorsIn(await readAll(this.#read(place), MANIFEST_LIMIT_BYTES))
    if (descriptors.length > IMAGES_LIMIT)
      throw new BundleError(`The archive holds ${descriptors.length} images: at most ${IMAGES_LIMIT} are taken.`)
    if (descriptors.length > 1 && naming?.tag)
      throw new BundleError(`The archive holds ${descriptors.length} images: they cannot all be ${naming.tag}.`)
    for (const descriptor of descriptors) {
      const { repository, tag } = nameOf(descriptor, naming)
      const digest = digestIn(descriptor)
      await this.#addManifest(digest, { repository, mediaType: String(descriptor.mediaType), depth: 0 })
      this.#images.push({ repository, digest, tags: tag ? [tag] : [] })
    }
  }

  async #addManifest(
    digest: Digest,
    at: { repository: RepositoryName; mediaType: string; depth: number },
  ): Promise<void> {
    const { repository, mediaType, depth } = at
    const known = this.#manifests.get(digest)
    if (known?.repositories.includes(repository)) return
    const place = this.#placeOf(digest)
    if (depth > DEPTH_LIMIT) throw new BundleError(`Manifest ${digest} of the archive lies too deep in its indexes.`)
    if (place.size_bytes > MANIFEST_LIMIT_BYTES)
      throw new BundleError(`Manifest ${digest} of the archive is larger than ${MANIFEST_LIMIT_BYTES} bytes.`)
    const bytes = await readAll(this.#content(digest, place), MANIFEST_LIMIT_BYTES)
    const manifest = manifestOf(bytes, { digest, mediaType })
    for (const blob of manifest.blobs) this.#addBlob(blob, repository)
    const isHere = (one: Digest) => this.#places.has(blobPath(one))
    for (const blob of manifest.foreignBlobs) if (isHere(blob)) this.#addBlob(blob, repository)
    const types = typesIn(bytes)
    for (const inner of manifest.manifests) {
      if (manifest.foreignBlobs.includes(inner)) continue
      if (manifest.listedBlobs.has(inner)) this.#addBlob(inner, repository)
      // An archive of one platform still has the index of all.
      else if (isHere(inner))
        await this.#addManifest(inner, { ...at, mediaType: types.get(inner) ?? '', depth: depth + 1 })
    }
    // Nobody can tell what these are; as blobs they are had, byte for byte.
    for (const other of manifest.others) if (isHere(other)) this.#addBlob(other, repository)
    const repositories = [...(known?.repositories ?? []), repository]
    const { size_bytes } = place
    this.#manifests.set(digest, { digest, size_bytes, repositories, media_type: manifest.mediaType })
  }

  #addBlob(digest: Digest, repository: RepositoryName): void {
    const { size_bytes } = this.#placeOf(digest)
    const repositories = new Set(this.#blobs.get(digest)?.repositories).add(repository)
    this.#blobs.set(digest, { digest, size_bytes, repositories: [...repositories] })
  }

  #placeOf(digest: Digest): Place {
    const place = this.#places.get(blobPath(digest))
    if (place === undefined) throw new BundleError(`The archive is not whole: ${digest}, which it needs, is missing.`)
    return place
  }

  #content = (digest: Digest, place: Place) =>
    verified(this.#read(place), { digest, size_bytes: place.size_bytes }, `${digest} in the archive`)

  async *#read({ start, size_bytes }: Place): AsyncGenerator<Uint8Array, void> {
    if (size_bytes === 0) return
    yield* createReadStream(this.#path, { start, end: start + size_bytes - 1, highWaterMark: CHUNK_BYTES })
  }

  reader(onProgress: OnProgress): BundleReader {
    const created_at = new Date(0).toISOString()
    const content = { images: this.#images, blobs: [...this.#blobs.values()], manifests: [...this.#manifests.values()] }
    const index = { format: FORMAT, created_at, files: [], needs: [], ...content } as const
    const entries = entriesOf(index).filter(({ kind }) => kind !== 'layout')
    const total = entries.reduce((sum, { size_bytes }) => sum + size_bytes, 0)
    const read = async function* (this: Archive): ReturnType<BundleReader['entries']> {
      let done = 0
      for (const entry of entries) {
        const place = this.#placeOf(entry.digest)
        yield { entry, content: this.#content(entry.digest, place), end: place.start + place.size_bytes }
        done += entry.size_bytes
        onProgress(done, total)
      }
    }
    return { index, entries: () => read.call(this) }
  }
}

const blobPath = (digest: Digest) => `blobs/${algorithmOf(digest)}/${hexOf(digest)}`

function manifestOf(bytes: Buffer, { digest, mediaType }: { digest: Digest; mediaType: string }): Manifest {
  try {
    // OCI lets a manifest be without its own media type; then its descriptor's counts.
    return parseManifest(bytes, MANIFEST_MEDIA_TYPES.includes(mediaType) ? mediaType : undefined)
  } catch (error) {
    if (!(error instanceof OciError)) throw error
    throw new BundleError(`Manifest ${digest} of the archive cannot be used: ${error.message}`, { cause: error })
  }
}

/** Of what an index lists. */
function typesIn(bytes: Buffer): Map<string, string> {
  const { manifests = [] } = JSON.parse(bytes.toString()) as { manifests?: Descriptor[] }
  return new Map(manifests.map(({ digest, mediaType }) => [String(digest), String(mediaType)]))
}

function descriptorsIn(bytes: Buffer): Descriptor[] {
  try {
    const { manifests } = parseJson(bytes) as { manifests?: unknown }
    if (Array.isArray(manifests) && manifests.length > 0 && manifests.every((one) => typeof one === 'object' && one))
      return manifests as Descriptor[]
  } catch {
    // Said below.
  }
  throw new BundleError('The index.json of the archive lists no images.')
}

function digestIn({ digest }: Descriptor): Digest {
  const found = parseDigest(String(digest))
  if (found) return found
  throw new BundleError(
    `The index.json of the archive lists ${JSON.stringify(digest)?.slice(0, 100)}, which is no digest.`,
  )
}

/** The name in the archive, or the one that the caller gives: an archive often has the tag alone. */
function nameOf({ annotations }: Descriptor, naming: Naming | undefined): Naming {
  const text = annotations?.[REF_NAME]
  const tag = typeof text === 'string' ? parseTag(text) : undefined
  if (naming) return { ...naming, ...(!naming.tag && tag && { tag }) }
  if (typeof text === 'string' && text.includes('/')) return parseNaming(text)
  throw new BundleError(
    `The archive does not say of which repository ${typeof text === 'string' ? `its image '${text.slice(0, 200)}'` : 'its image'} is: tell by --as REPOSITORY:TAG.`,
  )
}
