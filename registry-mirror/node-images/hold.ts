/** Pulls an image with all it needs, and holds it for its owner. Many owners of one image share one pull. */

import { isDiskFull } from '@appliance/ground/errno'
import { createSemaphore } from '@appliance/ground/semaphore'
import { untilAborted } from '@appliance/ground/until-aborted'
import type { RegistryLog } from '../config/config.ts'
import { type Digest, parseDigest } from '../oci/digest.ts'
import { RegistryError } from '../oci/errors.ts'
import { parseManifest } from '../oci/manifest.ts'
import type { Content } from '../storage/content.ts'
import type { Hold } from '../storage/state.ts'
import type { Storage } from '../storage/storage.ts'
import { pullManifest } from '../sync/pull.ts'
import { type ContainerImage, ImageUnavailable } from './image.ts'
import type { Target } from './targets.ts'

/** Blobs at one time, of an image that no upstream's own number is set for. */
const BLOBS_AT_ONCE = 6

/** @param layer  digest of the blob that the bytes belong to */
export type HoldProgress = (done_bytes: number, total_bytes: number, layer: string) => void
export type Wanted = { image: ContainerImage; target: Target }
export type Watching = { signal?: AbortSignal; progress?: HoldProgress }

/** What mutex out to be needed as well, once the first are here. */
export type More = () => Promise<readonly Wanted[]>

type Given = { storage: Storage; content: Content; settled(digest: Digest): Promise<void>; log: RegistryLog }
type Pull = { ended: Promise<void>; abort: AbortController; watchers: Set<Watching>; done_bytes: number }

export class Holds {
  readonly #given: Given
  readonly #pulls = new Map<string, Pull>()
  readonly #stop = new AbortController()

  constructor(given: Given) {
    this.#given = given
  }

  /**
   * One at a time for each owner. All or none: when it fails, the owner holds what they held before.
   * @throws ImageUnavailable; what `signal` was aborted with
   */
  async hold(
    owner: string,
    wanted: readonly Wanted[],
    { more, ...watching }: Watching & { more?: More },
  ): Promise<void> {
    const { state } = this.#given.storage
    const before = state.holds[owner] ?? []
    const holds: Hold[] = []
    const bring = async (some: readonly Wanted[]) => {
      holds.push(...some.map(holdOf))
      // Neither the images being pulled nor those that they replace may be evicted meanwhile.
      await state.hold(owner, distinct([...before, ...holds]))
      for (const one of some) await this.#bring(one, watching)
    }
    try {
      await bring(wanted)
      if (more) await bring(await more())
    } catch (error) {
      await state.hold(owner, before)
      throw error
    }
    await state.hold(owner, distinct(holds))
  }

  async #bring({ image, target }: Wanted, watching: Watching): Promise<void> {
    const key = `${target.name}@${image.digest} ${image.architecture}`
    const signal = AbortSignal.any([this.#stop.signal, ...(watching.signal ? [watching.signal] : [])])
    signal.throwIfAborted()
    const pull = this.#pulls.get(key) ?? this.#start(key, { image, target })
    pull.watchers.add(watching)
    watching.progress?.(pull.done_bytes, image.size_bytes, '')
    try {
      await untilAborted(pull.ended, signal)
    } finally {
      pull.watchers.delete(watching)
      // No caller waits any more. The bytes that came stay, and a later pull continues from them.
      if (pull.watchers.size === 0) pull.abort.abort(new Error('Nobody waits for this image any more.'))
    }
  }

  #start(key: string, wanted: Wanted): Pull {
    const abort = new AbortController()
    const pull: Pull = { ended: Promise.resolve(), abort, watchers: new Set(), done_bytes: 0 }
    this.#pulls.set(key, pull)
    pull.ended = this.#pull(wanted, pull).finally(() => {
      if (this.#pulls.get(key) === pull) this.#pulls.delete(key)
    })
    // Who waits hears of it; there may be none left.
    pull.ended.catch(() => {})
    abort.signal.addEventListener('abort', () => this.#pulls.get(key) === pull && this.#pulls.delete(key))
    return pull
  }

  async #pull({ image, target }: Wanted, pull: Pull): Promise<void> {
    const { storage, content, log } = this.#given
    const { name } = target
    const digest = requireDigest(image.digest)
    const here = await this.#bytesHere(image, target)
    const tell = (bytes: number, layer: string) => {
      pull.done_bytes = Math.min(pull.done_bytes + bytes, image.size_bytes)
      for (const { progress } of pull.watchers) progress?.(pull.done_bytes, image.size_bytes, layer)
    }
    tell(here, '')
    const known = new Set(image.layers.map((one) => one.digest))
    try {
      const pulling = {
        content,
        storage,
        signal: AbortSignal.any([this.#stop.signal, pull.abort.signal]),
        platforms: [{ os: 'linux', architecture: image.architecture }],
        semaphore: createSemaphore(target.upstream?.config.concurrency ?? BLOBS_AT_ONCE),
        told: new Set<Digest>(),
        onBytes: (bytes: number, about: { digest: Digest }) => known.has(about.digest) && tell(bytes, about.digest),
        onBlob: () => {},
        onReferrerFailed: ({ message }: Error) =>
          log.warn('what refers to an image cannot be had', { repository: name, digest, reason: message }),
      }
      await pullManifest(pulling, name, digest)
      await this.#check(image, target)
      await this.#tag(image, target)
    } catch (error) {
      throw failureOf(error, image, storage)
    }
    log.info('image is here', { reference: image.reference, digest, size_bytes: image.size_bytes })
  }

  /** Of its layers. */
  async #bytesHere({ layers }: ContainerImage, { name }: Target): Promise<number> {
    const { repositories, blobs } = this.#given.storage
    let bytes = 0
    for (const [digest, size_bytes] of new Map(layers.map((one) => [requireDigest(one.digest), one.size_bytes])))
      if ((await repositories.hasBlob(name, digest)) && (await blobs.sizeOf(digest)) !== undefined) bytes += size_bytes
    return bytes
  }

  /** What a client has all of becomes content only a moment later, or never. */
  async #check(image: ContainerImage, { name }: Target): Promise<void> {
    const { storage, settled } = this.#given
    const manifest = await storage.manifests.byDigest(name, requireDigest(image.manifest_digest))
    if (manifest === undefined) throw new RegistryError(`Its manifest ${image.manifest_digest} could not be kept.`)
    for (const blob of parseManifest(manifest.bytes, manifest.mediaType).blobs) {
      await settled(blob)
      if ((await storage.repositories.hasBlob(name, blob)) && (await storage.blobs.sizeOf(blob)) !== undefined) continue
      throw new RegistryError(`Its blob ${blob} came, but could not be kept: the log of the registry tells why.`)
    }
  }

  /** Makes the image available by its tag as well, whether or not the upstream answers. */
  async #tag(image: ContainerImage, { name, upstream, reference: { tag } }: Target): Promise<void> {
    const { manifests } = this.#given.storage
    const digest = requireDigest(image.digest)
    if (tag === undefined || upstream === undefined || (await manifests.digestOf(name, tag)) === digest) return
    const stored = await manifests.byDigest(name, digest)
    if (stored === undefined) throw new RegistryError(`Its manifest ${digest} could not be kept.`)
    const { bytes, mediaType } = stored
    const manifest = parseManifest(bytes, mediaType)
    await manifests.push({ name, digest, bytes, manifest, tags: [tag], isSparse: true })
  }

  /** Aborts all pulls, and waits for their end. */
  async close(): Promise<void> {
    this.#stop.abort(new Error('The registry stops.'))
    await Promise.allSettled([...this.#pulls.values()].map(({ ended }) => ended))
  }
}

function requireDigest(text: string): Digest {
  const digest = parseDigest(text)
  if (digest === undefined) throw new RegistryError(`'${text}' is no digest.`)
  return digest
}

function holdOf({ image, target: { name, reference, host } }: Wanted): Hold {
  const { tag } = reference
  return { repository: name, digest: requireDigest(image.digest), ...(tag && { tag }), ...(host && { host }) }
}

const distinct = (holds: readonly Hold[]): Hold[] => [
  ...new Map(holds.map((one) => [`${one.repository}@${one.digest}:${one.tag}`, one])).values(),
]

function failureOf(error: unknown, { reference }: ContainerImage, storage: Storage): Error {
  const { message } = error as Error
  const why = isDiskFull(error) ? `the disk of ${storage.disk.root} is full` : message.replace(/\.$/, '')
  return new ImageUnavailable('unreachable', `Image ${reference} cannot be held: ${why}.`, error)
}
