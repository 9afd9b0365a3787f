/**
 * State of the registry beside its content: what was pulled from an upstream, last uses, pins, holds, tickets, runs
 * of jobs. One lowdb document.
 */
import { readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { unlessMissing } from '@appliance/ground/errno'
import type { JobRecord } from '@appliance/ground/jobs'
import { Low } from 'lowdb'
import type { Digest } from '../oci/digest.ts'
import type { RepositoryName, Tag } from '../oci/names.ts'
import type { Disk } from './disk/disk.ts'

/** `pulled`: from an upstream, which can give it again. Only pulled content may be evicted. */
export type Origin = 'pulled' | 'pushed'

/**
 * An image that is protected from eviction, with all it needs, until its owner releases it: see node-images/hold.ts.
 */
export type Hold = {
  repository: RepositoryName
  digest: Digest
  tag?: Tag
  /** Of the upstream, when no section names it. */
  host?: string
}
/** Clients with the password of this hash may pull from the repository, and all that its owner holds. */
export type Ticket = { repository: RepositoryName; sha256: string; since: string }

type Entry = { pulled?: true /** Milliseconds since 1970. */; last_used?: number }
type Document = {
  version: 1
  /** By `name@digest`. A manifest without an entry was pushed: a lost state makes nothing evictable. */
  manifests: Record<string, Entry>
  /** By what is pinned (see pins.ts); since when. */
  pins: Record<string, string>
  /** Images of sync sets, by set: pinned as well, but not by the operator. */
  sets: Record<string, readonly string[]>
  /** By owner. */
  holds: Record<string, readonly Hold[]>
  /** By owner. */
  tickets: Record<string, readonly Ticket[]>
  jobs: Record<string, JobRecord>
}

/** A last use may be lost by a crash when it is younger. */
const SAVE_AFTER_MS = 10_000
const EMPTY: Document = { version: 1, manifests: {}, pins: {}, sets: {}, holds: {}, tickets: {}, jobs: {} }

export class RegistryState {
  readonly #low: Low<Document>
  /** Why what was there could not be used, and where it is now. */
  readonly damage: string | undefined
  #saving: Promise<void> | undefined
  #savingNext: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #closed = false
  #held: ReadonlyMap<RepositoryName, readonly Hold[]> | undefined

  private constructor(low: Low<Document>, damage: string | undefined) {
    this.#low = low
    this.damage = damage
  }

  static async open(disk: Disk): Promise<RegistryState> {
    const path = join(disk.root, 'state.json')
    const write = (data: Document) => disk.write(path, Buffer.from(JSON.stringify(data)))
    const text = await readFile(path, 'utf8').catch(unlessMissing)
    const [found, damage] = text === undefined ? [undefined, undefined] : documentOf(text)
    const low = new Low<Document>({ read: async () => found ?? null, write }, structuredClone(EMPTY))
    await low.read()
    if (damage === undefined) return new RegistryState(low, undefined)
    const aside = `${path}.damaged`
    await rename(path, aside)
    return new RegistryState(low, `${damage}; it is kept as ${aside}, and all content counts as pushed from now on`)
  }

  /** The manifest was sent to a client, or found unchanged. A crash within seconds loses the note. */
  used(name: RepositoryName, digest: Digest, now = Date.now()): void {
    const entry = this.#low.data.manifests[`${name}@${digest}`]
    if (entry === undefined) this.#low.data.manifests[`${name}@${digest}`] = { last_used: now }
    else entry.last_used = now
    if (this.#closed) return
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      // The next one tries again; what is lost is a last use.
      this.save().catch(() => {})
    }, SAVE_AFTER_MS).unref()
  }

  /**
   * Called before a manifest from an upstream is stored, never for one that is stored already. Durable when it
   * resolves.
   */
  async pulled(name: RepositoryName, digest: Digest): Promise<void> {
    this.#low.data.manifests[`${name}@${digest}`] = { pulled: true, last_used: Date.now() }
    await this.save()
  }

  /** A client pushed the manifest: eviction leaves it alone from now on. Durable when it resolves. */
  async pushed(name: RepositoryName, digest: Digest): Promise<void> {
    const entry = this.#low.data.manifests[`${name}@${digest}`]
    if (!entry?.pulled) return
    delete entry.pulled
    await this.save()
  }

  originOf(name: RepositoryName, digest: Digest): Origin {
    return this.#low.data.manifests[`${name}@${digest}`]?.pulled ? 'pulled' : 'pushed'
  }

  lastUsed(name: RepositoryName, digest: Digest): number | undefined {
    return this.#low.data.manifests[`${name}@${digest}`]?.last_used
  }

  /** Of manifests that are gone, unless they were used since. */
  forgetAllBut(isKept: (key: string) => boolean, usedBefore: number): void {
    for (const [key, { last_used = 0 }] of Object.entries(this.#low.data.manifests))
      if (last_used < usedBefore && !isKept(key)) delete this.#low.data.manifests[key]
  }

  /** What is pinned, and since when. */
  get pins(): Readonly<Record<string, string>> {
    return this.#low.data.pins
  }

  /** Durable when it resolves. @returns whether that changed anything */
  async pin(target: string, isPinned: boolean): Promise<boolean> {
    const { pins } = this.#low.data
    if (Object.hasOwn(pins, target) === isPinned) return false
    if (isPinned) pins[target] = new Date().toISOString()
    else delete pins[target]
    await this.save()
    return true
  }

  /** The images of each sync set. */
  get sets(): Readonly<Record<string, readonly string[]>> {
    return this.#low.data.sets
  }

  /** Replaces the images of a sync set. Durable when it resolves. */
  async replaceSet(set: string, targets: readonly string[]): Promise<void> {
    const { sets } = this.#low.data
    const wanted = [...new Set(targets)].sort()
    if (wanted.join() === (sets[set] ?? []).join()) return
    if (wanted.length > 0) sets[set] = wanted
    else delete sets[set]
    await this.save()
  }

  get holds(): Readonly<Record<string, readonly Hold[]>> {
    return this.#low.data.holds
  }

  /** Replaces the holds of an owner; none: releases them. Durable when it resolves. */
  async hold(owner: string, holds: readonly Hold[]): Promise<void> {
    const { data } = this.#low
    if (holds.length > 0) data.holds[owner] = holds
    else delete data.holds[owner]
    this.#held = undefined
    await this.save()
  }

  /** Holds of all owners, by repository. */
  get held(): ReadonlyMap<RepositoryName, readonly Hold[]> {
    this.#held ??= Map.groupBy(Object.values(this.#low.data.holds).flat(), ({ repository }) => repository)
    return this.#held
  }

  get tickets(): Readonly<Record<string, readonly Ticket[]>> {
    return this.#low.data.tickets
  }

  /** Replaces the tickets of an owner. Durable when it resolves. */
  async giveTickets(owner: string, tickets: readonly Ticket[]): Promise<void> {
    const { data } = this.#low
    if (tickets.length > 0) data.tickets[owner] = tickets
    else delete data.tickets[owner]
    await this.save()
  }

  lastRun(job: string): JobRecord | undefined {
    return this.#low.data.jobs[job]
  }

  async ran(job: string, record: JobRecord): Promise<void> {
    this.#low.data.jobs[job] = record
    await this.save()
  }

  /** Writes all there is now. Who comes while it is being done shares the next time with all others who wait. */
  save(): Promise<void> {
    if (this.#savingNext !== undefined) return this.#savingNext
    if (this.#saving === undefined) return this.#saveNow()
    this.#savingNext = this.#saving
      .catch(() => {})
      .then(() => {
        this.#savingNext = undefined
        return this.#saveNow()
      })
    return this.#savingNext
  }

  #saveNow(): Promise<void> {
    const saving = this.#low.write().finally(() => {
      if (this.#saving === saving) this.#saving = undefined
    })
    this.#saving = saving
    return saving
  }

  /** Writes what was not written yet. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.#timer === undefined) return
    clearTimeout(this.#timer)
    // All else was durable before it was acknowledged: what may be lost is a last use.
    await this.save().catch(() => {})
  }
}

function documentOf(text: string): [Document | undefined, string | undefined] {
  try {
    const found = JSON.parse(text) as Partial<Document> | null
    if (found?.version !== 1) return [undefined, `state.json has version ${found?.version}: expected 1`]
    return [{ ...structuredClone(EMPTY), ...found, version: 1 }, undefined]
  } catch (error) {
    return [undefined, `state.json is no JSON: ${(error as Error).message}`]
  }
}
