/**
 * What the manifests of a repository need. They are read from the disk past all caches, so that the caches keep what
 * pulls need.
 */
import type { Digest } from '../oci/digest.ts'
import { parseManifest } from '../oci/manifest.ts'
import type { RepositoryName } from '../oci/names.ts'
import type { Storage } from '../storage/storage.ts'

export type Needs = {
  blobs: readonly Digest[]
  /** What an index lists: manifests, or blobs. */
  manifests: readonly Digest[]
  /** Digests of descriptors in unknown fields: manifests, or blobs. */
  others: readonly Digest[]
  subject?: Digest
  /** Its own. */
  size_bytes: number
}

/** All that a manifest refers to. What of it the repository has, as manifest or as blob, is needed. */
export const refersTo = ({ blobs, manifests, others, subject }: Needs): readonly Digest[] => [
  ...blobs,
  ...manifests,
  ...others,
  ...(subject ? [subject] : []),
]

/**
 * @returns 'unknown'  the manifest is missing or damaged: callers that remove content must assume that it needs
 * everything
 */
async function needsOf(storage: Storage, name: RepositoryName, digest: Digest): Promise<Needs | 'unknown'> {
  const mediaType = await storage.repositories.mediaTypeOf(name, digest)
  const bytes = mediaType === undefined ? undefined : await storage.blobs.read(digest)
  if (bytes === undefined) return 'unknown'
  try {
    const { blobs, foreignBlobs, manifests, others, subject } = parseManifest(bytes, mediaType)
    const own = { size_bytes: bytes.length, ...(subject && { subject }) }
    return { blobs: [...blobs, ...foreignBlobs], manifests, others, ...own }
  } catch {
    // The file is damaged: the manifest was valid when it came. A scrub reports it.
    return 'unknown'
  }
}

/** Brings `known` up to date: adds new manifests, and drops those that are gone. */
export async function readNeeds(
  storage: Storage,
  name: RepositoryName,
  known: Map<Digest, Needs | 'unknown'>,
): Promise<void> {
  const here = new Set<Digest>()
  for await (const digest of storage.repositories.manifests(name)) {
    here.add(digest)
    if (known.has(digest)) continue
    const needs = await needsOf(storage, name, digest)
    // The manifest may have been deleted since it was listed.
    if (needs !== 'unknown' || (await storage.repositories.mediaTypeOf(name, digest)) !== undefined)
      known.set(digest, needs)
  }
  for (const digest of known.keys()) if (!here.has(digest)) known.delete(digest)
}
