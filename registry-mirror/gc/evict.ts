/**
 * Eviction: brings the storage below its quota by removing the least recently used content that was pulled from
 * upstreams. Never removes what was pushed or is pinned, nor what such content needs.
 */

import type { Progress } from '@appliance/ground/jobs'
import type { Digest } from '../oci/digest.ts'
import type { RepositoryName } from '../oci/names.ts'
import type { Storage } from '../storage/storage.ts'
import { collect } from './collect.ts'
import { type Needs, readNeeds, refersTo } from './needs.ts'
import { pinnedIn } from './pins.ts'

export type EvictOptions = {
  quota_bytes: number
  /** Content that was used within this time stays. */
  spare_s: number
  /** Blobs that came since stay for the next garbage collection: a transfer may be about to claim them. */
  grace_s: number
  signal: AbortSignal
  progress: Progress
}
export type Evicted = { used_bytes: number; quota_bytes: number; manifests_evicted: number; bytes_freed: number }

/** Share of the quota that is used after an eviction: one more blob must not start the next. */
const FILL = 0.95

type Candidate = { name: RepositoryName; digest: Digest; needs: Needs; last_used: number; depth: number }

export async function evict(storage: Storage, options: EvictOptions): Promise<Evicted> {
  const { quota_bytes, signal, progress } = options
  const used_bytes = await usedBytes(storage, signal)
  const done: Evicted = { used_bytes, quota_bytes, manifests_evicted: 0, bytes_freed: 0 }
  if (used_bytes <= quota_bytes) return done
  const users = new Map<Digest, number>()
  const candidates: Candidate[] = []
  for await (const name of storage.repositories.names()) {
    signal.throwIfAborted()
    candidates.push(...(await candidatesIn(storage, name, users)))
  }
  const oldest = Date.now() - options.spare_s * 1000
  candidates.sort((a, b) => a.last_used - b.last_used || a.depth - b.depth)
  const unused = new Set<Digest>()
  let excess = used_bytes - quota_bytes * FILL
  for (const { name, digest, needs, last_used } of candidates) {
    signal.throwIfAborted()
    if (excess <= 0 || last_used > oldest) break
    // The manifest may have been pushed or used since it was listed.
    const { state } = storage
    const isWanted = () => state.originOf(name, digest) === 'pulled' && (state.lastUsed(name, digest) ?? 0) <= oldest
    if (!(await storage.manifests.remove(name, digest, isWanted))) continue
    done.manifests_evicted++
    for (const freed of release(users, [digest, ...refersTo(needs)])) {
      unused.add(freed)
      excess -= (await storage.blobs.sizeOf(freed)) ?? 0
    }
    progress({ ...done })
  }
  const { bytes_freed } = await collect(storage, {
    grace_s: options.grace_s,
    only: unused,
    signal,
    progress: () => {},
  })
  return { ...done, bytes_freed }
}

export async function usedBytes(storage: Storage, signal?: AbortSignal): Promise<number> {
  let bytes = 0
  for await (const digest of storage.blobs.list()) {
    signal?.throwIfAborted()
    bytes += (await storage.blobs.sizeOf(digest)) ?? 0
  }
  return bytes
}

/** Lists candidates, and counts the references to each blob or manifest in all repositories. */
async function candidatesIn(storage: Storage, name: RepositoryName, users: Map<Digest, number>): Promise<Candidate[]> {
  const known = new Map<Digest, Needs | 'unknown'>()
  await readNeeds(storage, name, known)
  for (const [digest, needs] of known)
    for (const one of new Set([digest, ...(needs === 'unknown' ? [] : refersTo(needs))]))
      users.set(one, (users.get(one) ?? 0) + 1)
  const pinned = await pinnedIn(storage, name)
  if (pinned === 'all' || [...known.values()].includes('unknown')) return []
  const standings = new Standings(storage, name, { known: known as Map<Digest, Needs>, pinned })
  return [...known].flatMap(([digest, needs]) => {
    const standing = standings.of(digest)
    return standing.isKept || needs === 'unknown' ? [] : [{ name, digest, needs, ...standing }]
  })
}

type Standing = { isKept: boolean; last_used: number; depth: number }

/** A manifest counts as used or pinned with an index that lists it, and a referrer with its subject. */
class Standings {
  readonly #storage: Storage
  readonly #name: RepositoryName
  readonly #pinned: ReadonlySet<Digest>
  readonly #parents = new Map<Digest, Digest[]>()
  readonly #found = new Map<Digest, Standing>()

  constructor(
    storage: Storage,
    name: RepositoryName,
    { known, pinned }: { known: ReadonlyMap<Digest, Needs>; pinned: ReadonlySet<Digest> },
  ) {
    this.#storage = storage
    this.#name = name
    this.#pinned = pinned
    for (const [digest, { manifests, subject }] of known) {
      for (const child of manifests) this.#addParent(child, digest)
      if (subject && known.has(subject)) this.#addParent(digest, subject)
    }
  }

  #addParent(child: Digest, parent: Digest): void {
    const parents = this.#parents.get(child)
    if (parents) parents.push(parent)
    else this.#parents.set(child, [parent])
  }

  of(digest: Digest): Standing {
    const found = this.#found.get(digest)
    if (found) return found
    const { state } = this.#storage
    const standing: Standing = {
      isKept: this.#pinned.has(digest) || state.originOf(this.#name, digest) === 'pushed',
      last_used: state.lastUsed(this.#name, digest) ?? 0,
      depth: 0,
    }
    // Noted before its parents are visited: digests make circles impossible, unless somebody breaks sha256.
    this.#found.set(digest, standing)
    for (const parent of this.#parents.get(digest) ?? []) {
      const { isKept, last_used, depth } = this.of(parent)
      standing.isKept ||= isKept
      standing.last_used = Math.max(standing.last_used, last_used)
      standing.depth = Math.max(standing.depth, depth + 1)
    }
    return standing
  }
}

/** @returns the digests without references */
function release(users: Map<Digest, number>, digests: readonly Digest[]): Digest[] {
  return [...new Set(digests)].filter((digest) => {
    const left = (users.get(digest) ?? 1) - 1
    users.set(digest, left)
    return left === 0
  })
}
