/**
 * Manifests of upstreams' repositories: fetched once by digest; by tag asked for anew after the tag's ttl, and served
 * stale when that fails.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { isDiskFull } from '@appliance/ground/errno'
import type { RegistryLog } from '../config/config.ts'
import type { Digest } from '../oci/digest.ts'
import { parseManifest } from '../oci/manifest.ts'
import type { RepositoryName, Tag } from '../oci/names.ts'
import { type FoundManifest, isDigest } from '../storage/content.ts'
import type { StoredManifest } from '../storage/manifests.ts'
import type { Storage } from '../storage/storage.ts'
import { UpstreamFailure } from './failure.ts'
import type { FetchedManifest, Upstream } from './upstream.ts'

const REMEMBERED_LIMIT = 20_000

export type Wanted = { upstream: Upstream; repository: string; name: RepositoryName }
/** What is known of a tag or a digest without a request. */
type Verdict = { until: number; unknown?: true; warning?: string }
type Refresh = { began: number; result: Promise<StoredManifest | undefined> }

export class PulledManifests {
  readonly #storage: Storage
  readonly #log: RegistryLog
  readonly #verdicts = new Map<string, Verdict>()
  readonly #refreshes = new Map<string, Refresh>()

  constructor(storage: Storage, log: RegistryLog) {
    this.#storage = storage
    this.#log = log
  }

  /** @throws UpstreamFailure  no manifest is stored, and the upstream gives none */
  async get(wanted: Wanted, reference: Digest | Tag): Promise<FoundManifest | undefined> {
    const { name } = wanted
    const { manifests } = this.#storage
    const key = `${name}@${reference}`
    const here = await (isDigest(reference) ? manifests.byDigest(name, reference) : manifests.byTag(name, reference))
    const { counts } = wanted.upstream
    const verdict = here && isDigest(reference) ? undefined : this.#verdictOf(key)
    if (verdict?.unknown) return undefined
    if (here && (verdict || isDigest(reference))) {
      counts.hits++
      if (verdict?.warning === undefined) return here
      counts.stale++
      return { ...here, warning: verdict.warning }
    }
    const refresh = this.#refresh(key, wanted, reference, here)
    if (!here) counts.misses++
    const found = await (here ? this.#freshOrStale(wanted, here, refresh) : refresh.result)
    if (here) counts[found && 'warning' in found ? 'stale' : 'hits']++
    return found
  }

  /** @param here  what the tag meant when it was last asked for */
  async #freshOrStale(
    { upstream, name }: Wanted,
    here: StoredManifest,
    { began, result }: Refresh,
  ): Promise<FoundManifest | undefined> {
    const { stale_ms } = upstream.client.patience
    const wait_ms = upstream.isSlow ? 0 : Math.max(began + stale_ms - performance.now(), 0)
    const deadline = new AbortController()
    const late = sleep(wait_ms, 'late' as const, { signal: deadline.signal })
    try {
      const first = await Promise.race([result, late])
      if (first !== 'late') return first
    } catch (error) {
      if (!(error instanceof UpstreamFailure)) throw error
      return { ...here, warning: warningOf(error.message) }
    } finally {
      deadline.abort()
      late.catch(() => {})
    }
    const reason = `Upstream ${upstream.name} has not answered within ${stale_ms / 1000} s.`
    if (!upstream.isSlow) this.#log.warn('a tag is served stale', { repository: name, digest: here.digest, reason })
    upstream.isSlow = true
    return { ...here, warning: warningOf(reason) }
  }

  /** Joins the running request, or starts one. The request goes on when its callers leave. */
  #refresh(key: string, wanted: Wanted, reference: Digest | Tag, here: StoredManifest | undefined): Refresh {
    const running = this.#refreshes.get(key)
    if (running) return running
    const refresh = { began: performance.now(), result: this.#ask(key, wanted, reference, here) }
    this.#refreshes.set(key, refresh)
    refresh.result
      .finally(() => this.#refreshes.delete(key))
      // The callers get the error; there may be none left.
      .catch(() => {})
    return refresh
  }

  async #ask(
    key: string,
    wanted: Wanted,
    reference: Digest | Tag,
    here: StoredManifest | undefined,
  ): Promise<StoredManifest | undefined> {
    const { upstream, name } = wanted
    const { retry_ms, stale_ms } = upstream.client.patience
    const began = performance.now()
    try {
      const found = await (isDigest(reference) ? this.#fetch(wanted, reference) : this.#follow(wanted, reference, here))
      if (performance.now() - began < stale_ms) upstream.isSlow = false
      const life_ms = found ? upstream.config.tag_ttl * 1000 : retry_ms
      this.#remember(key, { until: Date.now() + life_ms, ...(!found && { unknown: true }) })
      return found
    } catch (error) {
      if (here && error instanceof UpstreamFailure) {
        this.#log.warn('a tag is served stale', {
          repository: name,
          tag: reference,
          digest: here.digest,
          reason: error.message,
        })
        this.#remember(key, { until: Date.now() + retry_ms, warning: warningOf(error.message) })
      }
      throw error
    }
  }

  /** The manifest of a tag now. Asks by HEAD first when an earlier manifest is stored. */
  async #follow(wanted: Wanted, tag: Tag, here: StoredManifest | undefined): Promise<StoredManifest | undefined> {
    const { upstream, repository, name } = wanted
    const told = here && (await upstream.digestOf(repository, tag))
    if (here && told === undefined) return undefined
    if (here && told === here.digest) return here
    const other = told === undefined || told === 'untold' ? undefined : told
    const known = other && (await this.#storage.manifests.byDigest(name, other))
    if (known === undefined) {
      const fetched = await this.#fetch(wanted, other ?? tag, tag)
      if (fetched === undefined && other)
        throw new UpstreamFailure(
          'lying',
          `Upstream ${upstream.name} says that tag ${tag} of ${repository} is ${other}, and has no such manifest.`,
        )
      return fetched
    }
    await this.#store(
      wanted,
      { digest: known.digest, bytes: known.bytes, manifest: parseManifest(known.bytes, known.mediaType) },
      tag,
    )
    return known
  }

  async #fetch(wanted: Wanted, reference: Digest | Tag, tag?: Tag): Promise<StoredManifest | undefined> {
    const fetched = await wanted.upstream.manifest(wanted.repository, reference)
    if (fetched === undefined) return undefined
    await this.#store(wanted, fetched, tag)
    return { digest: fetched.digest, mediaType: fetched.manifest.mediaType, bytes: fetched.bytes }
  }

  async #store({ name }: Wanted, { digest, bytes, manifest }: FetchedManifest, tag: Tag | undefined): Promise<void> {
    const { manifests, repositories, state } = this.#storage
    const tags = tag === undefined ? [] : [tag]
    try {
      if ((await repositories.mediaTypeOf(name, digest)) === undefined) await state.pulled(name, digest)
      await manifests.push({ name, digest, bytes, manifest, tags, isSparse: true })
      this.#log.info('manifest pulled', { repository: name, digest, tags })
    } catch (error) {
      if (!isDiskFull(error)) throw error
      // Clients get the manifest all the same.
      this.#log.error('a manifest that was pulled cannot be kept: the disk is full', { repository: name, digest })
    }
  }

  #verdictOf(key: string): Verdict | undefined {
    const verdict = this.#verdicts.get(key)
    return verdict && Date.now() < verdict.until ? verdict : undefined
  }
  #remember(key: string, verdict: Verdict): void {
    if (this.#verdicts.size >= REMEMBERED_LIMIT) this.#verdicts.clear()
    this.#verdicts.set(key, verdict)
  }
}

const warningOf = (reason: string) => `${reason} This is what the tag meant when the upstream last told.`
