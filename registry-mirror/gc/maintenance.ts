/** Maintenance of the storage while the registry serves: garbage collection, eviction and scrub as jobs. */
import { freeBytes } from '@appliance/ground/files'
import { type Counts, Jobs, type Run } from '@appliance/ground/jobs'
import type { RegistryConfig, RegistryLog } from '../config/config.ts'
import { nextByClock, type ScheduleOptions, scheduleFor } from '../config/schedule.ts'
import type { Content } from '../storage/content.ts'
import type { Storage } from '../storage/storage.ts'
import { collect } from './collect.ts'
import { type Evicted, evict, usedBytes } from './evict.ts'
import { scrub } from './scrub.ts'

export type MaintenanceConfig = Pick<
  RegistryConfig,
  'gc_grace' | 'min_free' | 'quota' | 'scrub_rate' | 'storage_path' | ScheduleOptions
>
type Given = { content: Content; log: RegistryLog }

const MIB = 1024 * 1024
/** How soon a full cache is noticed. */
const LOOK_EVERY_MS = 15_000
/** Content that was used within this time is not evicted, however full the storage is. */
const SPARE_S = 600
/** Blobs that came within this time are not evicted either: a transfer may be about to claim them. */
const EVICT_GRACE_S = 60

export class Maintenance {
  readonly jobs: Jobs
  readonly config: MaintenanceConfig
  readonly #storage: Storage
  readonly #given: Given
  readonly #timer: NodeJS.Timeout | undefined
  #seenChanges = -1
  #used: { bytes: number; at: number } | undefined

  /** Callers add further jobs to `jobs`. */
  constructor(storage: Storage, config: MaintenanceConfig, given: Given) {
    this.#storage = storage
    this.#given = given
    this.config = config
    const { state } = storage
    if (state.damage) given.log.error('the state of the registry was damaged', { reason: state.damage })
    this.jobs = new Jobs({ owner: 'registry', log: given.log, records: state, nextByClock })
    this.jobs.add({ name: 'gc', ...scheduleFor(config, 'gc'), run: (run) => this.#collect(run) })
    this.jobs.add({ name: 'scrub', ...scheduleFor(config, 'scrub'), run: (run) => this.#scrub(run) })
    this.jobs.add({ name: 'evict', interval_s: 0, run: (run) => this.#evict(run) })
    if (config.quota > 0 || config.min_free > 0)
      this.#timer = setInterval(() => void this.#look(), LOOK_EVERY_MS).unref()
  }

  async #collect({ signal, progress, options }: Run): Promise<Counts> {
    const began = Date.now()
    const { grace_s = this.config.gc_grace } = options
    const counts = await collect(this.#storage, { grace_s, signal, progress })
    await this.#forgetUses(began)
    return counts
  }

  /** Forgets the last uses of manifests that are gone. */
  async #forgetUses(before: number): Promise<void> {
    const { repositories, state } = this.#storage
    const kept = new Set<string>()
    for await (const name of repositories.names())
      for await (const digest of repositories.manifests(name)) kept.add(`${name}@${digest}`)
    state.forgetAllBut((key) => kept.has(key), before)
  }

  async #scrub({ signal, progress, options }: Run): Promise<Counts> {
    const { rate = this.config.scrub_rate } = options
    return scrub(this.#storage, { bytes_per_s: rate * MIB, signal, progress, ...this.#given })
  }

  async #evict({ signal, progress, options }: Run): Promise<Evicted> {
    const { quota = this.config.quota, spare_s = SPARE_S, grace_s = EVICT_GRACE_S } = options
    const { quota_bytes = await this.#allowedBytes(quota) } = options
    return evict(this.#storage, { quota_bytes, spare_s, grace_s, signal, progress })
  }

  async #allowedBytes(quota: number): Promise<number> {
    return allowedBytes({
      quota_bytes: quota * MIB,
      min_free_bytes: this.config.min_free * MIB,
      free_bytes: await freeBytes(this.#storage.disk.root),
      used_bytes: await this.usedBytes(0),
    })
  }

  /** Evicts when the storage is too large; looks only if content came since the last time. */
  async #look(): Promise<void> {
    const { changes } = this.#storage.blobs
    if (changes === this.#seenChanges) return
    try {
      this.#seenChanges = changes
      const allowed = await this.#allowedBytes(this.config.quota)
      if ((await this.usedBytes(LOOK_EVERY_MS / 2)) > allowed) await this.jobs.run('evict')
    } catch (error) {
      this.#given.log.warn('the quota cannot be looked after', { error: (error as Error).message })
    }
  }

  /** Size of all content. @param maxAge_ms  the result may be this old */
  async usedBytes(maxAge_ms: number): Promise<number> {
    if (this.#used === undefined || Date.now() - this.#used.at >= maxAge_ms)
      this.#used = { bytes: await usedBytes(this.#storage), at: Date.now() }
    return this.#used.bytes
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.jobs.close()
  }
}

type Space = { /** 0: none. */ quota_bytes: number; min_free_bytes: number; free_bytes: number; used_bytes: number }

/** How large all content may be, by the quota and by the free space of the disk. */
export function allowedBytes({ quota_bytes, min_free_bytes, free_bytes, used_bytes }: Space): number {
  const byQuota = quota_bytes > 0 ? quota_bytes : Number.MAX_SAFE_INTEGER
  const missing = min_free_bytes - free_bytes
  return missing > 0 ? Math.min(byQuota, Math.max(used_bytes - missing, 0)) : byQuota
}
