/** One image pulled as a client would, with all it needs: its platforms, their layers, and what refers to them. */
import { createSemaphore, type Semaphore } from '@appliance/ground/semaphore'
import type { Digest } from '../oci/digest.ts'
import { RegistryError } from '../oci/errors.ts'
import { type Manifest, parseManifest } from '../oci/manifest.ts'
import type { RepositoryName, Tag } from '../oci/names.ts'
import { type Platform, wantedOf } from '../oci/platforms.ts'
import type { Content } from '../storage/content.ts'
import type { Storage } from '../storage/storage.ts'

const CHUNK_BYTES = 1024 * 1024
/** Of indexes in indexes, and of signatures of signatures: deeper ones are refused. */
const DEPTH_LIMIT = 4

/** Manifests of one image that are asked for at one time. */
const MANIFESTS_AT_ONCE = 4

export type Image = { name: RepositoryName; tag: Tag }
export type Pulling = {
  content: Content
  storage: Storage
  signal: AbortSignal
  /** Empty: all. */
  platforms: readonly Platform[]
  /** For blobs. */
  semaphore: Semaphore
  /** Called once for each blob, however many images have it. */
  onBytes(bytes: number, about: { name: RepositoryName; digest: Digest }): void
  onBlob(): void
  /** Called for a referrer that cannot be pulled. Left out: the image fails with it. */
  onReferrerFailed?(error: Error): void
  /** Blobs that were counted. */
  told: Set<Digest>
}

/** @throws RegistryError, OciError  it cannot be had, or is stale */
export async function pullImage(pulling: Pulling, { name, tag }: Image): Promise<void> {
  const found = await pulling.content.manifest(name, tag)
  if (found === undefined) throw new RegistryError('The upstream has no such tag.')
  await new ImagePull(pulling, name).manifest(found.digest, pulling.platforms, 0)
  if (found.warning !== undefined) throw new RegistryError(found.warning)
}

/** @throws RegistryError, OciError  it cannot be had */
export function pullManifest(pulling: Pulling, name: RepositoryName, digest: Digest): Promise<void> {
  return new ImagePull(pulling, name).manifest(digest, pulling.platforms, 0)
}

class ImagePull {
  readonly #pulling: Pulling
  readonly #name: RepositoryName
  /** An index and its platforms may have the same referrer. */
  readonly #seen = new Set<Digest>()
  readonly #asking = createSemaphore(MANIFESTS_AT_ONCE)

  constructor(pulling: Pulling, name: RepositoryName) {
    this.#pulling = pulling
    this.#name = name
  }

  async manifest(digest: Digest, platforms: readonly Platform[], depth: number): Promise<void> {
    if (!(await this.#tryManifest(digest, platforms, depth)))
      throw new RegistryError(`The upstream has no manifest ${digest}.`)
  }

  /** @returns false: the upstream has none; so do all that try */
  async #tryManifest(digest: Digest, platforms: readonly Platform[], depth: number): Promise<boolean> {
    if (this.#seen.has(digest)) return true
    const { storage, content, semaphore, signal } = this.#pulling
    signal.throwIfAborted()
    const stored = await this.#asking.run(() => content.manifest(this.#name, digest))
    if (stored === undefined) return false
    if (this.#seen.has(digest)) return true
    this.#seen.add(digest)
    // A pulled manifest counts as used, so that it is not evicted first.
    storage.state.used(this.#name, digest)
    const manifest = parseManifest(stored.bytes, stored.mediaType)
    const isDeep = depth >= DEPTH_LIMIT
    const inner = wantedOf(stored, manifest, platforms)
    if (isDeep && inner.length > 0)
      throw new RegistryError(`Index ${digest} lies too deep: expected at most ${DEPTH_LIMIT} indexes in each other.`)
    await allEnded([
      ...manifest.blobs.map((blob) => semaphore.run(() => this.#blob(blob))),
      ...inner.map((one) => this.#listed(one, manifest, (digest) => this.#tryManifest(digest, platforms, depth + 1))),
    ])
    if (!isDeep) await this.#referrers(digest, depth)
    return true
  }

  /** What an index lists is a manifest or a blob; its media type decides which of both is requested first. */
  async #listed(
    digest: Digest,
    { listedBlobs, foreignBlobs }: Pick<Manifest, 'listedBlobs' | 'foreignBlobs'>,
    tryManifest: (digest: Digest) => Promise<boolean>,
  ): Promise<void> {
    const tryBlob = () => this.#pulling.semaphore.run(() => this.#tryBlob(digest))
    const isBlob = listedBlobs.has(digest)
    const isThere = isBlob
      ? (await tryBlob()) || (await tryManifest(digest))
      : (await tryManifest(digest)) || (await tryBlob())
    if (!isThere && !foreignBlobs.includes(digest))
      throw new RegistryError(`The upstream has no ${isBlob ? 'blob' : 'manifest'} ${digest}.`)
  }

  async #referrers(digest: Digest, depth: number): Promise<void> {
    const { content, signal, onReferrerFailed } = this.#pulling
    signal.throwIfAborted()
    const referrers = await this.#asking.run(() => content.referrers(this.#name, digest))
    try {
      await allEnded(referrers.map((one) => this.manifest(one, [], depth + 1)))
    } catch (error) {
      signal.throwIfAborted()
      if (onReferrerFailed === undefined) throw error
      onReferrerFailed(error as Error)
    }
  }

  async #blob(digest: Digest): Promise<void> {
    if (!(await this.#tryBlob(digest))) throw new RegistryError(`The upstream has no blob ${digest}.`)
  }

  async #tryBlob(digest: Digest): Promise<boolean> {
    const { storage, content, signal, onBytes, onBlob, told } = this.#pulling
    signal.throwIfAborted()
    const { repositories, blobs } = storage
    if ((await repositories.hasBlob(this.#name, digest)) && (await blobs.sizeOf(digest)) !== undefined) return true
    const reader = await content.openBlob(this.#name, digest)
    if (reader === undefined) return false
    const isNew = !told.has(digest)
    told.add(digest)
    try {
      const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
      for (let at = 0; at < reader.size_bytes; ) {
        signal.throwIfAborted()
        const bytes = await reader.read(buffer, buffer.length, at)
        if (bytes === 0) throw new RegistryError(`Blob ${digest} ended at ${at} of ${reader.size_bytes} bytes.`)
        at += bytes
        if (isNew) onBytes(bytes, { name: this.#name, digest })
      }
      if (isNew) onBlob()
      return true
    } finally {
      await reader.close()
    }
  }
}

/** Waits for all, also when one fails, so that no work goes on unnoticed. @throws the error of the first that failed */
export async function allEnded(acts: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(acts)).find((one) => one.status === 'rejected')
  if (failed) throw failed.reason
}
