/**
 * Asks the upstream what an image is, and stores nothing. Stored content stands in for an upstream that does not
 * answer.
 */

import { type Digest, digestOf } from '../oci/digest.ts'
import type { RepositoryName } from '../oci/names.ts'
import { credentialsOf, type PullSecret } from '../oci/secret.ts'
import { Cache } from '../storage/cache.ts'
import { localContent } from '../storage/content.ts'
import type { Guards } from '../storage/guards.ts'
import type { StoredManifest } from '../storage/manifests.ts'
import type { Storage } from '../storage/storage.ts'
import { UpstreamFailure } from '../upstream/failure.ts'
import { type Asking, SMALL_BLOB_LIMIT_BYTES } from '../upstream/upstream.ts'
import { type ContainerImage, choicesOf, configDigestOf, ImageUnavailable, imageOf } from './image.ts'
import type { Target } from './targets.ts'

const DEADLINE_MS = 8_000
const CACHED_BYTES = 8 * 1024 * 1024
/** Of indexes in indexes: deeper ones are refused. */
const DEPTH_LIMIT = 3

export type InspectOptions = { architecture: string; secret?: PullSecret }
type Given = { storage: Storage; guards: Guards }

/** Caches the last inspections: the deploy repeats them. */
export class Inspector {
  readonly #given: Given
  readonly #cache = new Cache<StoredManifest>({ limit: CACHED_BYTES, weigh: ({ bytes }) => bytes.length + 512 })

  constructor(given: Given) {
    this.#given = given
  }

  /** @throws ImageUnavailable */
  async inspect(target: Target, { architecture, secret }: InspectOptions): Promise<ContainerImage> {
    const reference = target.reference.canonical
    const one = new Inspection(target, { ...this.#given, cache: this.#cache, secret })
    const top = await one.top()
    let manifest = top
    for (let depth = 0; ; depth++) {
      const chosen = choicesOf(manifest, { reference, architecture })
      if (chosen === undefined) break
      if (depth >= DEPTH_LIMIT)
        throw new ImageUnavailable('not an image', `Image ${reference} is an index of indexes, too deep.`)
      manifest = await one.manifest(chosen)
    }
    const config = await one.config(configDigestOf(manifest, reference))
    const image = imageOf({ reference, digest: top.digest, architecture, manifest }, config)
    this.#checkSizes(image)
    return { ...image, ...(one.warning !== undefined && { warning: one.warning }) }
  }

  #checkSizes({ reference, layers }: ContainerImage): void {
    const limit_bytes = this.#given.storage.max_blob_bytes
    const largest = Math.max(...layers.map(({ size_bytes }) => size_bytes))
    if (largest > limit_bytes)
      throw new ImageUnavailable(
        'too large',
        `Image ${reference} has a layer of ${largest} bytes: at most ${limit_bytes} are taken ([registry] max_blob_size).`,
      )
  }
}

type About = Given & { cache: Cache<StoredManifest>; secret: PullSecret | undefined }

class Inspection {
  /** Why the stored image stands in for the upstream's. */
  warning: string | undefined
  readonly #target: Target
  readonly #about: About
  readonly #asking: Asking

  constructor(target: Target, about: About) {
    this.#target = target
    this.#about = about
    const as = credentialsOf(about.secret)
    this.#asking = { deadline: AbortSignal.timeout(DEADLINE_MS), ...(as && { as }) }
  }

  get #name(): RepositoryName {
    return this.#target.name
  }

  /** The manifest or index of the reference. */
  async top(): Promise<StoredManifest> {
    const { upstream, reference } = this.#target
    const here = await this.#here()
    if (upstream === undefined) {
      if (here) return here
      throw new ImageUnavailable('unknown', `Image ${reference.canonical} is not here: nobody has pushed it.`)
    }
    if (here && reference.digest && (await this.#mayReadHere())) return here
    try {
      return await this.#asked()
    } catch (error) {
      if (!(error instanceof UpstreamFailure)) throw error
      if (error.kind === 'refused' || !here || !(await this.#mayReadHere())) throw this.#unavailable(error)
      this.warning = `${error.message} This is what ${reference.canonical} meant when the upstream last told.`
      return here
    }
  }

  async #here(): Promise<StoredManifest | undefined> {
    const { manifests } = this.#about.storage
    const { digest, tag } = this.#target.reference
    if (digest) return manifests.byDigest(this.#name, digest)
    return tag && manifests.byTag(this.#name, tag)
  }

  async #mayReadHere(): Promise<boolean> {
    const { guards, secret } = this.#about
    return !guards.isGuarded(this.#name) || (secret !== undefined && (await guards.isRight(this.#name, secret)))
  }

  /** @throws UpstreamFailure, ImageUnavailable */
  async #asked(): Promise<StoredManifest> {
    const { upstream, reference } = this.#target
    const repository = upstream?.repositoryOf(this.#name)
    const wanted = reference.digest ?? reference.tag
    if (upstream === undefined || repository === undefined || wanted === undefined)
      throw new Error(`${reference.canonical} has no upstream`)
    const told = await upstream.digestOf(repository, wanted, this.#asking)
    if (told === undefined)
      throw new ImageUnavailable(
        'unknown',
        `Image ${reference.canonical} does not exist: registry ${reference.host} knows none.`,
      )
    if (told !== 'untold' && reference.digest === undefined) return this.manifest(told)
    if (reference.digest) return this.manifest(reference.digest)
    const fetched = await upstream.manifest(repository, wanted, this.#asking)
    if (fetched === undefined) throw this.#lie(`has tag ${wanted}, and no manifest for it`)
    return { digest: fetched.digest, bytes: fetched.bytes, mediaType: fetched.manifest.mediaType }
  }

  /** @throws ImageUnavailable */
  async manifest(digest: Digest): Promise<StoredManifest> {
    const here = await this.#about.storage.manifests.byDigest(this.#name, digest)
    const found = here ?? (await this.#about.cache.get(`${this.#name}@${digest}`, () => this.#fetchManifest(digest)))
    if (found) return found
    throw this.#lie(`has no manifest ${digest}, which it names itself`)
  }

  async #fetchManifest(digest: Digest): Promise<StoredManifest | undefined> {
    return this.#orUnavailable(async (upstream, repository) => {
      const fetched = await upstream.manifest(repository, digest, this.#asking)
      return fetched && { digest, bytes: fetched.bytes, mediaType: fetched.manifest.mediaType }
    })
  }

  /** @throws ImageUnavailable */
  async config(digest: Digest): Promise<Buffer> {
    const here = await this.#configHere(digest)
    if (here) return here
    const found = await this.#about.cache.get(`${this.#name}@${digest}`, () =>
      this.#orUnavailable(async (upstream, repository) => {
        const bytes = await upstream.smallBlob(repository, digest, this.#asking)
        return bytes && { digest, bytes, mediaType: '' }
      }),
    )
    if (found) return found.bytes
    throw this.#lie(`has no config ${digest}, which the manifest names`)
  }

  async #configHere(digest: Digest): Promise<Buffer | undefined> {
    const { storage } = this.#about
    const size = await localContent(storage).blobSize(this.#name, digest)
    if (size === undefined || size > SMALL_BLOB_LIMIT_BYTES) return undefined
    const bytes = await storage.blobs.read(digest)
    return bytes && digestOf('sha256', bytes) === digest ? bytes : undefined
  }

  async #orUnavailable<T>(ask: (upstream: NonNullable<Target['upstream']>, repository: string) => Promise<T>) {
    const { upstream } = this.#target
    const repository = upstream?.repositoryOf(this.#name)
    // The stored image may be incomplete.
    if (upstream === undefined || repository === undefined) return undefined
    try {
      return await ask(upstream, repository)
    } catch (error) {
      throw error instanceof UpstreamFailure ? this.#unavailable(error) : error
    }
  }

  #unavailable(failure: UpstreamFailure): ImageUnavailable {
    const { canonical, host } = this.#target.reference
    const { kind, message } = failure
    if (kind === 'refused') {
      const why = this.#about.secret
        ? `registry ${host} refuses the pull secret`
        : `registry ${host} asks for credentials, or has no such image. Set a pull secret`
      return new ImageUnavailable('refused', `Image ${canonical} cannot be had: ${why}.`, failure)
    }
    const isKept = this.#about.guards.isGuarded(this.#name)
    const more = isKept ? 'What is here of it is only for who has its pull secret.' : 'It is not here either.'
    return new ImageUnavailable(
      kind === 'lying' ? 'lying' : 'unreachable',
      `Image ${canonical} cannot be had: ${message} ${more}`,
      failure,
    )
  }

  #lie(how: string): ImageUnavailable {
    const { canonical, host } = this.#target.reference
    return new ImageUnavailable('lying', `Image ${canonical} cannot be had: registry ${host} ${how}.`)
  }
}
