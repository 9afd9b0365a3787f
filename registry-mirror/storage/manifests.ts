/**
 * Manifests, tags and referrers of repositories, with the rules that hold between them. Changes of one repository
 * come one after the other.
 */
import type { KeyedMutex } from '@appliance/ground/keyed-mutex'
import type { Digest } from '../oci/digest.ts'
import { conditionFailed, manifestBlobUnknown } from '../oci/errors.ts'
import { type Manifest, parseManifest } from '../oci/manifest.ts'
import type { RepositoryName, Tag } from '../oci/names.ts'
import type { BlobStore } from './blobs.ts'
import { Cache } from './cache.ts'
import type { Repositories } from './repositories.ts'

const CACHED_BYTES = 32 * 1024 * 1024
const CACHED_TAGS = 50_000
/** Of an entry itself, beside the manifest's bytes. */
const ENTRY_BYTES = 512
/** Claims that are looked up at a time. */
const AT_A_TIME = 32

export type StoredManifest = { digest: Digest; mediaType: string; bytes: Buffer }

/** Condition of a change. `is`: the tag has one of these digests, or ('any') exists. `isNot`: the opposite. */
export type Condition = { is: readonly Digest[] | 'any' } | { isNot: readonly Digest[] | 'any' }

export type Push = {
  name: RepositoryName
  digest: Digest
  bytes: Buffer
  manifest: Manifest
  tags: readonly Tag[]
  condition?: Condition
  /** From an upstream: its blobs come when a client pulls them. */
  isSparse?: boolean
}

export class ManifestStore {
  readonly #blobs: BlobStore
  readonly #repositories: Repositories
  readonly #mutex: KeyedMutex
  readonly #manifests = new Cache<StoredManifest>({
    limit: CACHED_BYTES,
    weigh: ({ bytes }) => bytes.length + ENTRY_BYTES,
  })
  readonly #tags = new Cache<Digest>({ limit: CACHED_TAGS, weigh: () => 1 })

  /** @param mutex  of repositories, by name: shared with all that change one */
  constructor(blobs: BlobStore, repositories: Repositories, mutex: KeyedMutex) {
    this.#blobs = blobs
    this.#repositories = repositories
    this.#mutex = mutex
  }

  /** @returns undefined  this repository has no such manifest */
  byDigest(name: RepositoryName, digest: Digest): Promise<StoredManifest | undefined> {
    return this.#manifests.get(`${name}@${digest}`, async () => {
      const mediaType = await this.#repositories.mediaTypeOf(name, digest)
      const bytes = mediaType === undefined ? undefined : await this.#blobs.read(digest)
      return mediaType === undefined || bytes === undefined ? undefined : { digest, mediaType, bytes }
    })
  }

  /** Reads it from the disk the next time. */
  forget(name: RepositoryName, digest: Digest): void {
    this.#manifests.forget(`${name}@${digest}`)
  }

  async byTag(name: RepositoryName, tag: Tag): Promise<StoredManifest | undefined> {
    const digest = await this.digestOf(name, tag)
    return digest && this.byDigest(name, digest)
  }

  digestOf(name: RepositoryName, tag: Tag): Promise<Digest | undefined> {
    return this.#tags.get(`${name}:${tag}`, () => this.#repositories.taggedDigest(name, tag))
  }

  /**
   * Durable when it resolves. Its blobs must be there, its manifests and its subject need not: an index may be sparse.
   * @throws OciError  MANIFEST_BLOB_UNKNOWN, or the condition does not hold
   */
  push(push: Push): Promise<void> {
    const { name, digest, bytes, manifest, tags } = push
    return this.#mutex.run(name, async () => {
      await this.#checkCondition(push)
      const missing = push.isSparse ? [] : await this.#missing(name, manifest.blobs)
      if (missing.length > 0) throw manifestBlobUnknown(name, missing)
      await this.#mutex.run(digest, async () => {
        // Content comes before all that names it, or a crash between them leaves a manifest that is listed and not
        // there.
        await this.#blobs.put(digest, bytes)
        await all([
          this.#repositories.addManifest(name, digest, manifest.mediaType),
          manifest.subject && this.#repositories.addReferrer(name, manifest.subject, digest),
        ])
      })
      this.#manifests.forget(`${name}@${digest}`)
      // Tags come last: a tag must never point to content that a power cut could take away.
      await all(tags.map((tag) => this.#repositories.setTag(name, tag, digest))).finally(() => {
        for (const tag of tags) this.#tags.forget(`${name}:${tag}`)
      })
    })
  }

  /**
   * Removes a manifest and all its tags.
   * @param isWanted  asked once nobody else can change the repository
   * @returns whether it was there, and was removed
   */
  remove(name: RepositoryName, digest: Digest, isWanted: () => boolean = () => true): Promise<boolean> {
    return this.#mutex.run(name, async () => {
      if (!isWanted()) return false
      const stored = await this.byDigest(name, digest)
      for (const tag of await this.#repositories.tags(name))
        if ((await this.digestOf(name, tag)) === digest) await this.#removeTag(name, tag)
      const wasThere = await this.#repositories.removeManifest(name, digest).finally(() => {
        this.#manifests.forget(`${name}@${digest}`)
      })
      const subject = stored && parseManifest(stored.bytes, stored.mediaType).subject
      if (subject) await this.#repositories.removeReferrer(name, subject, digest)
      return wasThere
    })
  }

  removeTag(name: RepositoryName, tag: Tag): Promise<boolean> {
    return this.#mutex.run(name, () => this.#removeTag(name, tag))
  }

  #removeTag(name: RepositoryName, tag: Tag): Promise<boolean> {
    return this.#repositories.removeTag(name, tag).finally(() => this.#tags.forget(`${name}:${tag}`))
  }

  async #checkCondition({ name, tags, condition }: Push): Promise<void> {
    const [tag] = tags
    if (condition === undefined || tag === undefined) return
    const found = await this.digestOf(name, tag)
    const wanted = 'is' in condition ? condition.is : condition.isNot
    const matches = found !== undefined && (wanted === 'any' || wanted.includes(found))
    if (matches !== 'is' in condition)
      throw conditionFailed(`Tag ${tag} of ${name} is ${found ?? 'not there'}, against the condition of this request.`)
  }

  async #missing(name: RepositoryName, blobs: readonly Digest[]): Promise<Digest[]> {
    const wanted = [...new Set(blobs)]
    const missing: Digest[] = []
    for (let at = 0; at < wanted.length; at += AT_A_TIME) {
      const some = wanted.slice(at, at + AT_A_TIME)
      const found = await Promise.all(some.map((digest) => this.#has(name, digest)))
      missing.push(...some.filter((_, index) => !found[index]))
    }
    return missing
  }

  /**
   * A scrub removes damaged content, and the claim to it stays: a push of the same content repairs it for all.
   */
  async #has(name: RepositoryName, digest: Digest): Promise<boolean> {
    return (await this.#repositories.hasBlob(name, digest)) && (await this.#blobs.sizeOf(digest)) !== undefined
  }
}

/** Waits until all have ended, so that nothing goes on behind an answer; then throws the first error. */
async function all(acts: readonly (Promise<unknown> | undefined)[]): Promise<void> {
  const failed = (await Promise.allSettled(acts)).find((one) => one.status === 'rejected')
  if (failed) throw failed.reason
}
