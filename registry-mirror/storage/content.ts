/** The source of what clients pull: local storage. Upstreams put a Content of their own in front of it. */
import type { Digest } from '../oci/digest.ts'
import type { RepositoryName, Tag } from '../oci/names.ts'
import type { BlobReader } from './blobs.ts'
import type { StoredManifest } from './manifests.ts'
import type { Storage } from './storage.ts'

export type FoundManifest = StoredManifest & {
  /** Text of a Warning header: the manifest is stale, and why. */
  warning?: string
}

export type Content = {
  /** @returns undefined  not known; so do all */
  manifest(name: RepositoryName, reference: Digest | Tag): Promise<FoundManifest | undefined>
  blobSize(name: RepositoryName, digest: Digest): Promise<number | undefined>
  /**
   * The caller closes the reader. Its `read` may wait for bytes that are still coming, and throws when they will not
   * come.
   */
  openBlob(name: RepositoryName, digest: Digest): Promise<BlobReader | undefined>
  /** In the order of their bytes. */
  tags(name: RepositoryName): Promise<readonly string[] | undefined>
  /** Digests of the manifests whose subject it is; [] when there is no such repository. */
  referrers(name: RepositoryName, subject: Digest): Promise<readonly Digest[]>
}

export const isDigest = (reference: Digest | Tag): reference is Digest => reference.includes(':')

export function localContent({ blobs, manifests, repositories }: Storage): Content {
  const here = (name: RepositoryName, digest: Digest) => repositories.hasBlob(name, digest)
  return {
    manifest: (name, reference) =>
      isDigest(reference) ? manifests.byDigest(name, reference) : manifests.byTag(name, reference),
    blobSize: async (name, digest) => ((await here(name, digest)) ? blobs.sizeOf(digest) : undefined),
    openBlob: async (name, digest) => ((await here(name, digest)) ? blobs.open(digest) : undefined),
    tags: async (name) => {
      const tags = await repositories.tags(name)
      return tags.length > 0 || (await repositories.exists(name)) ? tags : undefined
    },
    referrers: (name, subject) => repositories.referrers(name, subject),
  }
}
