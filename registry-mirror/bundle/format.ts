/**
 * What a bundle is: a tar that is an OCI image layout (so skopeo reads it as oci-archive:) and begins with an index
 * of all that follows, in its order. Content stands before the manifests that need it, so that a reader never has to
 * go back.
 */
import { algorithmOf, type Digest, digestOf, hexOf } from '../oci/digest.ts'
import { INDEX_MEDIA_TYPE } from '../oci/manifest.ts'
import type { RepositoryName, Tag } from '../oci/names.ts'

export const FORMAT = 'rackstrap-bundle/1'
export const INDEX_NAME = 'rackstrap/bundle.json'
/** Follows the index, which nothing else would prove. */
export const CHECKSUM_NAME = 'rackstrap/bundle.json.sha256'
/** As sha256sum reads it. */
export const checksumOf = (index: Uint8Array): string => `${hexOf(digestOf('sha256', index))}  bundle.json\n`
const FILES_FOLDER = 'rackstrap/files/'

/** The index is read into memory, so that it is bounded: some 200 bytes for each entry. */
export const INDEX_LIMIT_BYTES = 64 * 1024 * 1024
export const ENTRY_LIMIT = 200_000

/** An image that gets its tags when all has come. Without tags it is known by digest alone, as referrers are. */
export type BundleImage = { repository: RepositoryName; digest: Digest; tags: readonly Tag[] }
export type BundleBlob = { digest: Digest; size_bytes: number; repositories: readonly RepositoryName[] }
export type BundleManifest = BundleBlob & {
  media_type: string
  /** The manifest was pushed as a blob, too. A bundle carries nothing twice. */
  as_blob_in?: readonly RepositoryName[]
}
/** `name`: relative, in plain words; see isFileName. */
export type BundleFile = { name: string; digest: Digest; size_bytes: number }
/** What the other side is expected to have already. */
export type Need = { kind: 'blob' | 'manifest'; digest: Digest; repositories: readonly RepositoryName[] }

export type BundleIndex = {
  format: typeof FORMAT
  created_at: string
  images: readonly BundleImage[]
  blobs: readonly BundleBlob[]
  files: readonly BundleFile[]
  /** In the order in which they can be pushed: what one refers to stands before it. */
  manifests: readonly BundleManifest[]
  needs: readonly Need[]
}

export type BundleEntry = { name: string; size_bytes: number; digest: Digest } & (
  | { kind: 'layout'; bytes: Buffer }
  | { kind: 'blob'; blob: BundleBlob }
  | { kind: 'file'; file: BundleFile }
  | { kind: 'manifest'; manifest: BundleManifest }
)

/** Of one entry: an honest one has a dozen, and each entry gets a copy of those that are for all. */
const PAX_LIMIT = 1_000

/** @throws BundleError */
export function refuseRecords({ pax }: { pax?: unknown }): void {
  const records = Object.keys(pax ?? {}).length
  if (records > PAX_LIMIT)
    throw new BundleError(`An entry of the tar has ${records} pax records: at most ${PAX_LIMIT} are read.`)
}

/** A bundle that cannot be made or taken, in the operator's words. */
export class BundleError extends Error {
  override get name(): string {
    return this.constructor.name
  }
}

/** All that follows the index, in the order of the tar. */
export function entriesOf(index: BundleIndex): BundleEntry[] {
  return [
    layoutEntry('oci-layout', { imageLayoutVersion: '1.0.0' }),
    layoutEntry('index.json', layoutIndexOf(index)),
    ...index.blobs.map((blob) => ({ kind: 'blob' as const, name: blobName(blob.digest), ...sizeOf(blob), blob })),
    ...index.files.map((file) => ({ kind: 'file' as const, name: FILES_FOLDER + file.name, ...sizeOf(file), file })),
    ...index.manifests.map((manifest) => ({
      kind: 'manifest' as const,
      name: blobName(manifest.digest),
      ...sizeOf(manifest),
      manifest,
    })),
  ]
}

/** Of what follows the index; some more is written for headers. */
export const sizeOfBundle = (index: BundleIndex): number =>
  entriesOf(index).reduce((sum, { size_bytes }) => sum + size_bytes, 0)

const blobName = (digest: Digest) => `blobs/${algorithmOf(digest)}/${hexOf(digest)}`
const sizeOf = ({ digest, size_bytes }: { digest: Digest; size_bytes: number }) => ({ digest, size_bytes })

function layoutEntry(name: string, value: unknown): BundleEntry {
  const bytes = Buffer.from(JSON.stringify(value))
  return { kind: 'layout', name, bytes, size_bytes: bytes.length, digest: digestOf('sha256', bytes) }
}

/** OCI image layout: other tools find an image under REPOSITORY:TAG, and referrers without a name. */
function layoutIndexOf({ images, manifests }: BundleIndex) {
  const byDigest = new Map(manifests.map((manifest) => [manifest.digest, manifest]))
  const descriptors = images.flatMap(({ repository, digest, tags }) => {
    const manifest = byDigest.get(digest)
    if (manifest === undefined) return []
    const plain = { mediaType: manifest.media_type, digest, size: manifest.size_bytes }
    if (tags.length === 0) return [plain]
    return tags.map((tag) => ({
      ...plain,
      annotations: { 'org.opencontainers.image.ref.name': `${repository}:${tag}` },
    }))
  })
  return { schemaVersion: 2, mediaType: INDEX_MEDIA_TYPE, manifests: descriptors }
}

const FILE_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.+@~-]{0,199}(?:\/[A-Za-z0-9_][A-Za-z0-9_.+@~-]{0,199}){0,7}$/
/** No component begins with a dot: none is `..`, hidden, or one of ours that is not whole yet. */
export const isFileName = (name: string): boolean => FILE_NAME.test(name)
