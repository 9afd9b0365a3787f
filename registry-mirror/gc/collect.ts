/**
 * Garbage collection while the registry serves. It marks what any manifest needs and what any repository may still
 * need, then removes the rest. It never removes a manifest or a tag. Mutexes and the watch of claims make it exact;
 * the grace time is for clients between their blobs and their manifest.
 */

import type { Progress } from '@appliance/ground/jobs'
import type { Digest } from '../oci/digest.ts'
import type { RepositoryName } from '../oci/names.ts'
import type { Storage } from '../storage/storage.ts'
import { type Needs, readNeeds, refersTo } from './needs.ts'

export type CollectOptions = {
  /** Content that was pushed, mounted or requested within this time stays. */
  grace_s: number
  /** Limits the run to these blobs. Default: all. */
  only?: ReadonlySet<Digest>
  signal: AbortSignal
  progress: Progress
}
export type Collected = {
  repositories: number
  /** Claims of repositories to blobs that no manifest of theirs needs. */
  claims_removed: number
  blobs_removed: number
  bytes_freed: number
  blobs_kept: number
  /** Manifests that cannot be read: nothing was removed from their repositories. */
  unreadable: number
}

/** Removed at a time: each removal syncs the folder, and concurrent removals share a sync. */
const AT_A_TIME = 32

export async function collect(storage: Storage, options: CollectOptions): Promise<Collected> {
  // The watch sees later claims; the disk shows earlier ones.
  using watch = storage.repositories.watchClaims()
  const run = new Collection(storage, options, watch.claimed)
  for await (const name of storage.repositories.names()) {
    options.signal.throwIfAborted()
    await run.markRepository(name)
  }
  await run.sweep()
  return run.counts
}

class Collection {
  readonly counts: Collected = {
    repositories: 0,
    claims_removed: 0,
    blobs_removed: 0,
    bytes_freed: 0,
    blobs_kept: 0,
    unreadable: 0,
  }
  readonly #storage: Storage
  readonly #options: CollectOptions
  readonly #claimed: ReadonlySet<Digest>
  readonly #needed = new Set<Digest>()
  readonly #oldest: number

  constructor(storage: Storage, options: CollectOptions, claimed: ReadonlySet<Digest>) {
    this.#storage = storage
    this.#options = options
    this.#claimed = claimed
    this.#oldest = Date.now() - options.grace_s * 1000
  }

  async markRepository(name: RepositoryName): Promise<void> {
    const { repositories, mutex, uploads } = this.#storage
    const known = new Map<Digest, Needs | 'unknown'>()
    // Most is read outside of the mutex, so that no push waits for it.
    await readNeeds(this.#storage, name, known)
    const unneeded: Digest[] = []
    const referred = this.#mark(known)
    for await (const digest of repositories.blobs(name)) {
      if (referred.has(digest) || !(this.#options.only?.has(digest) ?? true) || this.#claimed.has(digest))
        this.#needed.add(digest)
      else unneeded.push(digest)
    }
    this.counts.repositories++
    const unreadable = [...known.values()].filter((one) => one === 'unknown').length
    this.counts.unreadable += unreadable
    const isHandsOff = unreadable > 0 || (await uploads.isUnderWay(name))
    for (let at = 0; at < unneeded.length; at += AT_A_TIME) {
      const some = unneeded.slice(at, at + AT_A_TIME)
      if (isHandsOff) for (const digest of some) this.#needed.add(digest)
      else await mutex.run(name, () => this.#dropClaims(name, known, some))
    }
    this.#options.progress({ ...this.counts })
  }

  /** @returns all digests that they refer to: a blob of the repository among them is needed, whatever its media type */
  #mark(known: ReadonlyMap<Digest, Needs | 'unknown'>): Set<Digest> {
    const referred = new Set<Digest>()
    for (const [digest, needs] of known) {
      this.#needed.add(digest)
      if (needs === 'unknown') continue
      for (const blob of needs.blobs) this.#needed.add(blob)
      for (const one of refersTo(needs)) referred.add(one)
    }
    return referred
  }

  /** Under the mutex of the repository no manifest comes meanwhile; those that came since `known` are read now. */
  async #dropClaims(
    name: RepositoryName,
    known: Map<Digest, Needs | 'unknown'>,
    digests: readonly Digest[],
  ): Promise<void> {
    await readNeeds(this.#storage, name, known)
    const referred = this.#mark(known)
    const isUnreadable = [...known.values()].includes('unknown')
    await Promise.all(
      digests.map(async (digest) => {
        const isDropped = !isUnreadable && !referred.has(digest) && (await this.#dropClaim(name, digest))
        if (isDropped) this.counts.claims_removed++
        else this.#needed.add(digest)
      }),
    )
  }

  #dropClaim(name: RepositoryName, digest: Digest): Promise<boolean> {
    const { repositories, blobs, mutex } = this.#storage
    return mutex.run(digest, async () => {
      const claimed_at = (await repositories.claimedAt(name, digest)) ?? 0
      const changed_at = (await blobs.ageOf(digest))?.changed_at ?? 0
      if (this.#claimed.has(digest) || Math.max(claimed_at, changed_at) > this.#oldest) return false
      await repositories.removeBlob(name, digest)
      return true
    })
  }

  async sweep(): Promise<void> {
    let some: Digest[] = []
    const { only, signal } = this.#options
    for await (const digest of only ?? this.#storage.blobs.list()) {
      signal.throwIfAborted()
      some.push(digest)
      if (some.length < AT_A_TIME) continue
      await this.#sweepSome(some)
      some = []
    }
    await this.#sweepSome(some)
  }

  async #sweepSome(digests: readonly Digest[]): Promise<void> {
    await Promise.all(digests.map((digest) => this.#sweepOne(digest)))
    this.#options.progress({ ...this.counts })
  }

  async #sweepOne(digest: Digest): Promise<void> {
    const { blobs, mutex } = this.#storage
    const isRemoved = await mutex.run(digest, async () => {
      if (this.#needed.has(digest) || this.#claimed.has(digest)) return false
      const found = await blobs.ageOf(digest)
      if (found === undefined || found.changed_at > this.#oldest || !(await blobs.remove(digest))) return false
      this.counts.blobs_removed++
      this.counts.bytes_freed += found.size_bytes
      return true
    })
    if (!isRemoved) this.counts.blobs_kept++
  }
}
