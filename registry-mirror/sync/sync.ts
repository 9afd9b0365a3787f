/**
 * Sync sets: the images that `sync` of an upstream names are fetched ahead of need, and not evicted while they are
 * named. One job for each set.
 */

import type { Job, Run, Schedule } from '@appliance/ground/jobs'
import { createSemaphore } from '@appliance/ground/semaphore'
import type { RegistryLog, UpstreamConfig } from '../config/config.ts'
import { parseSync, patternOf } from '../config/upstream.ts'
import { RegistryError } from '../oci/errors.ts'
import { parseName, parseTag } from '../oci/names.ts'
import { parsePlatform } from '../oci/platforms.ts'
import type { Content } from '../storage/content.ts'
import type { Storage } from '../storage/storage.ts'
import { allEnded, type Image, type Pulling, pullImage } from './pull.ts'

/** Images at one time; their blobs share the semaphore of their upstream. */
const IMAGES_AT_ONCE = 3
/** Errors in the result of a run; the log has all. */
const TOLD_FAILURES = 10

type Given = { content: Content; storage: Storage; log: RegistryLog }
type Failure = { what: string; reason: string }

const setsIn = (configs: readonly UpstreamConfig[]) => configs.filter(({ sync }) => sync.length > 0)
/** A set has its upstream's name. */
export const syncJobNames = (configs: readonly UpstreamConfig[]): string[] =>
  setsIn(configs).map(({ name }) => `sync:${name}`)

export function syncJobs(configs: readonly UpstreamConfig[], all: Schedule, given: Given): Job[] {
  return setsIn(configs).map((config) => ({
    name: `sync:${config.name}`,
    ...scheduleOf(config, all),
    run: (run) => new Sync(config, given, run).all(),
  }))
}

/** The schedule of a set itself comes before that of [registry]. */
const scheduleOf = ({ sync_at: at, sync_interval: interval_s }: UpstreamConfig, all: Schedule): Schedule =>
  at === undefined && interval_s === undefined ? all : { interval_s: interval_s ?? 0, ...(at !== undefined && { at }) }

/** Images of sets that are no longer configured may be evicted again. */
export async function dropOtherSets(configs: readonly UpstreamConfig[], { state }: Storage): Promise<void> {
  const names = new Set<string>(setsIn(configs).map(({ name }) => name))
  for (const set of Object.keys(state.sets)) if (!names.has(set)) await state.replaceSet(set, [])
}

class Sync {
  readonly #config: UpstreamConfig
  readonly #given: Given
  readonly #run: Run
  readonly #counts = { images: 0, fetched_blobs: 0, fetched_bytes: 0 }
  readonly #failures: Failure[] = []

  constructor(config: UpstreamConfig, given: Given, run: Run) {
    this.#config = config
    this.#given = given
    this.#run = run
  }

  /** Fetches all images; one that fails does not stop the others. @throws RegistryError  some failed */
  async all() {
    const { state } = this.#given.storage
    const { name } = this.#config
    const before = state.sets[name] ?? []
    const images = new Map<string, Image>()
    const held: string[] = []
    for (const text of this.#config.sync) {
      const isListed = await this.#attempt(`${name}/${text}`, async () => {
        for (const image of await this.#imagesOf(text)) images.set(targetOf(image), image)
      })
      // The tags of the upstream are unknown: those of last time stay.
      if (!isListed) held.push(...before.filter((target) => isNamedBy(text, target.slice(name.length + 1))))
    }
    // Neither the images being pulled nor those that they replace may be evicted meanwhile.
    await state.replaceSet(name, [...before, ...images.keys()])
    await this.#pull([...images.values()])
    await state.replaceSet(name, [...held, ...images.keys()])
    this.#refuseFailures()
    return this.#counts
  }

  /** @returns whether it was done */
  async #attempt(what: string, act: () => Promise<void>): Promise<boolean> {
    this.#run.signal.throwIfAborted()
    try {
      await act()
      return true
    } catch (error) {
      this.#run.signal.throwIfAborted()
      const reason = (error as Error).message
      this.#given.log.warn('an image cannot be kept fresh', { image: what, reason })
      this.#failures.push({ what, reason })
      return false
    }
  }

  async #imagesOf(text: string): Promise<Image[]> {
    const wanted = parseSync(text)
    const name = wanted && parseName(`${this.#config.name}/${wanted.repository}`)
    if (wanted === undefined || name === undefined) return []
    const one = parseTag(wanted.tags)
    if (one !== undefined) return [{ name, tag: one }]
    const tags = await this.#given.content.tags(name)
    if (tags === undefined) throw new RegistryError('The upstream has no such repository.')
    const pattern = patternOf(wanted.tags)
    return tags.flatMap((text) => {
      const tag = pattern.test(text) ? parseTag(text) : undefined
      return tag === undefined ? [] : [{ name, tag }]
    })
  }

  async #pull(images: readonly Image[]): Promise<void> {
    const { content, storage } = this.#given
    const pulling: Pulling = {
      content,
      storage,
      signal: this.#run.signal,
      platforms: this.#config.sync_platforms.map(parsePlatform),
      semaphore: createSemaphore(this.#config.concurrency),
      told: new Set(),
      onBytes: (bytes, { name }) => {
        this.#counts.fetched_bytes += bytes
        this.#run.progress({ ...this.#counts, of: images.length, fetching: name })
      },
      onBlob: () => {
        this.#counts.fetched_blobs++
      },
    }
    const one = async (image: Image) => {
      if (await this.#attempt(targetOf(image), () => pullImage(pulling, image))) this.#counts.images++
    }
    const semaphore = createSemaphore(IMAGES_AT_ONCE)
    await allEnded(images.map((image) => semaphore.run(() => one(image))))
  }

  #refuseFailures(): void {
    const count = this.#failures.length
    if (count === 0) return
    // The images ended in any order.
    const told = this.#failures.map(({ what, reason }) => `${what}: ${reason}`).sort()
    const more = count > TOLD_FAILURES ? ` (and ${count - TOLD_FAILURES} more)` : ''
    throw new RegistryError(
      `${this.#counts.images} images are as the upstream has them; ${count} are not: ${told.slice(0, TOLD_FAILURES).join(' ')}${more}`,
    )
  }
}

/** The text of a pin. */
const targetOf = ({ name, tag }: Image) => `${name}:${tag}`

/** @param image  without the upstream's name */
function isNamedBy(text: string, image: string): boolean {
  const wanted = parseSync(text)
  return wanted !== undefined && patternOf(`${wanted.repository}:${wanted.tags}`).test(image)
}
