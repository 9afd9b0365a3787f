/** The questions to one upstream. Each answer is checked before the caller sees it. Stores nothing. */

import { parseJson } from '@appliance/ground/json-meter'
import { readLimited } from '@appliance/ground/read-limited'
import { createSemaphore, type Semaphore } from '@appliance/ground/semaphore'
import type { UpstreamConfig } from '../config/config.ts'
import { isAllowed } from '../config/upstream.ts'
import { algorithmOf, type Digest, digestOf, parseDigest } from '../oci/digest.ts'
import { OciError } from '../oci/errors.ts'
import { MANIFEST_LIMIT_BYTES, MANIFEST_MEDIA_TYPES, type Manifest, parseManifest } from '../oci/manifest.ts'
import type { RepositoryName, Tag } from '../oci/names.ts'
import type { Credentials } from '../oci/secret.ts'
import { isDigest } from '../storage/content.ts'
import { Breaker } from './breaker.ts'
import {
  type ClientOptions,
  discard,
  type Headers,
  lengthOf,
  type Question,
  textOf,
  type UpstreamAnswer,
  UpstreamClient,
} from './client.ts'
import { UpstreamFailure } from './failure.ts'
import { Throttle } from './limits.ts'

const ACCEPT = MANIFEST_MEDIA_TYPES.join(', ')
/** For a manifest or a list, from the request to the last byte. */
const WHOLE_DEADLINE_MS = 45_000
/** For an answer that was cut. */
const ATTEMPTS_LIMIT = 3
const LIST_LIMIT_BYTES = 16 * 1024 * 1024
/** Tags of one page: some registries have no pages. */
const LIST_LIMIT_VALUES = 500_000
/** Of the config of an image. */
export const SMALL_BLOB_LIMIT_BYTES = 8 * 1024 * 1024

/** Credentials and deadline. Default: the credentials of the repository, and the deadline of the registry. */
export type Asking = { as?: Credentials | 'as configured'; deadline?: AbortSignal }
export type FetchedManifest = { digest: Digest; bytes: Buffer; manifest: Manifest }

export type UpstreamStatus = {
  name: string
  url: string
  /** At the last request. */
  state: 'up' | 'slow' | 'limited' | 'unreachable'
  reason?: string
  /** Requests for blobs and manifests: answered from storage, and by the upstream. */
  hits: number
  misses: number
  /** Answers with a Warning. */
  stale: number
  /** Received from the upstream. */
  blob_bytes: number
}

export class Upstream {
  readonly config: UpstreamConfig
  readonly client: UpstreamClient
  readonly semaphore: Semaphore
  readonly throttle: Throttle
  /** Opens when the upstream wants to be asked less often. */
  readonly limits: Breaker
  /** The upstream answers, but too late for a client that can get a stale answer instead. */
  isSlow = false
  /** Since the start. */
  readonly counts = { hits: 0, misses: 0, stale: 0, blob_bytes: 0 }
  readonly #abort = new AbortController()

  constructor(config: UpstreamConfig, options: ClientOptions) {
    this.config = config
    this.client = new UpstreamClient(config, options)
    this.limits = new Breaker(({ kind }) => kind === 'limited', this.client.patience.pause_ms)
    this.semaphore = createSemaphore(config.concurrency)
    this.throttle = new Throttle(config.bandwidth_limit)
  }

  get name(): RepositoryName {
    return this.config.name
  }

  get status(): UpstreamStatus {
    const failure = this.client.reach.failure ?? this.limits.failure
    const state = this.client.reach.failure
      ? 'unreachable'
      : this.limits.failure
        ? 'limited'
        : this.isSlow
          ? 'slow'
          : 'up'
    return {
      name: this.name,
      url: this.config.url.href,
      state,
      ...(failure && { reason: failure.message }),
      ...this.counts,
    }
  }

  /** @returns its name at the upstream; undefined  it is none of this upstream's */
  repositoryOf(name: RepositoryName): string | undefined {
    return name.startsWith(`${this.name}/`) ? name.slice(this.name.length + 1) : undefined
  }

  isAllowed = (repository: string): boolean => isAllowed(this.config, repository)

  /** @returns undefined  there is none; so do all @throws UpstreamFailure; so do all */
  async manifest(
    repository: string,
    reference: Digest | Tag,
    asking: Asking = {},
  ): Promise<FetchedManifest | undefined> {
    const path = `manifests/${reference}`
    const what = `manifest ${reference} of ${repository}`
    const question = { method: 'GET', repository, path, headers: { accept: ACCEPT } } as const
    const answer = await this.#askWhole({ question, limit_bytes: MANIFEST_LIMIT_BYTES, what }, asking)
    if (answer === undefined) return undefined
    const { bytes } = answer
    const told = textOf(answer.headers['docker-content-digest'])
    const wanted = parseDigest(reference) ?? (told === undefined ? undefined : parseDigest(told))
    const digest = digestOf(wanted ? algorithmOf(wanted) : 'sha256', bytes)
    if (wanted !== undefined && wanted !== digest)
      throw this.#lie(what, `sends one that is not of the digest ${wanted}`)
    try {
      return { digest, bytes, manifest: parseManifest(bytes, textOf(answer.headers['content-type'])) }
    } catch (error) {
      // Its words may quote what came, which may be a page of somebody else's.
      throw error instanceof OciError ? this.#lie(what, `sends none: ${wordsOnType(answer.headers)}`) : error
    }
  }

  /** Digest of a manifest. @returns 'untold'  the answer has no digest: fetch the manifest itself */
  async digestOf(
    repository: string,
    reference: Digest | Tag,
    asking: Asking = {},
  ): Promise<Digest | 'untold' | undefined> {
    const path = `manifests/${reference}`
    const answer = await this.#ask({ method: 'HEAD', repository, path, headers: { accept: ACCEPT } }, asking)
    if (answer === undefined) return undefined
    discard(answer)
    const { 'docker-content-digest': told, 'content-type': type } = answer.headers
    const mediaType = typeIn(type)
    if (mediaType !== undefined && !MANIFEST_MEDIA_TYPES.includes(mediaType))
      throw this.#lie(
        `${isDigest(reference) ? 'manifest' : 'tag'} ${reference} of ${repository}`,
        `says that it is of type ${mediaType}, which no manifest is`,
      )
    return parseDigest(textOf(told) ?? '') ?? 'untold'
  }

  async blobSize(repository: string, digest: Digest): Promise<number | undefined> {
    const answer = await this.#ask({ method: 'HEAD', repository, path: `blobs/${digest}` })
    if (answer === undefined) return undefined
    discard(answer)
    const size = lengthOf(answer.headers)
    if (size === undefined) throw this.#lie(`blob ${digest} of ${repository}`, 'does not say how long it is')
    return size
  }

  /** Reads all of a small blob. */
  async smallBlob(repository: string, digest: Digest, asking: Asking = {}): Promise<Buffer | undefined> {
    const what = `blob ${digest} of ${repository}`
    const question = { method: 'GET', repository, path: `blobs/${digest}` } as const
    const answer = await this.#askWhole({ question, limit_bytes: SMALL_BLOB_LIMIT_BYTES, what }, asking)
    if (answer === undefined) return undefined
    const { bytes } = answer
    const found = digestOf(algorithmOf(digest), bytes)
    if (found !== digest) throw this.#lie(what, 'sends one that is not of this digest')
    return bytes
  }

  /** One page of a list. @returns next: the path of the one after it */
  async list(repository: string, path: string): Promise<{ json: Record<string, unknown>; next?: string } | undefined> {
    const question = { method: 'GET', repository, path } as const
    const answer = await this.#askWhole({ question, limit_bytes: LIST_LIMIT_BYTES, what: path })
    if (answer === undefined) return undefined
    const { bytes } = answer
    const next = this.#nextOf(textOf(answer.headers.link))
    try {
      const json = parseJson(bytes.toString(), { values: LIST_LIMIT_VALUES })
      if (typeof json === 'object' && json !== null)
        return { json: json as Record<string, unknown>, ...(next && { next }) }
    } catch {
      // Said below.
    }
    throw this.#lie(path, 'sends no JSON object')
  }

  async close(): Promise<void> {
    this.#abort.abort()
    await this.client.close()
  }

  #ask(question: Omit<Question, 'signal' | 'as'>, { as, deadline }: Asking = {}): Promise<UpstreamAnswer | undefined> {
    const signal = AbortSignal.any([this.#abort.signal, deadline ?? AbortSignal.timeout(WHOLE_DEADLINE_MS)])
    return this.limits.run(() => this.client.ask({ ...question, signal, ...(as && { as }) }))
  }

  /** An answer that was cut is requested anew: small answers are not resumed. */
  async #askWhole(
    { question, limit_bytes, what }: { question: Omit<Question, 'signal' | 'as'>; limit_bytes: number; what: string },
    asking: Asking = {},
  ): Promise<{ headers: Headers; bytes: Buffer } | undefined> {
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#ask(question, asking)
      if (answer === undefined) return undefined
      try {
        return { headers: answer.headers, bytes: await this.#whole(answer, limit_bytes, what) }
      } catch (error) {
        const isCut = error instanceof UpstreamFailure && error.kind === 'dead'
        if (!isCut || attempt >= ATTEMPTS_LIMIT || asking.deadline?.aborted || this.#abort.signal.aborted) throw error
      }
    }
  }

  async #whole({ headers, body }: UpstreamAnswer, limit_bytes: number, what: string): Promise<Buffer> {
    const refusal = () => this.#lie(what, `sends more than ${limit_bytes} bytes`)
    const bytes = await readLimited(body, limit_bytes, refusal).catch((error: unknown) => {
      throw this.client.failureOf(error)
    })
    const told = lengthOf(headers)
    if (told !== undefined && told !== bytes.length) throw this.#lie(what, `sends ${bytes.length} bytes, not ${told}`)
    return bytes
  }

  /** Only of this upstream. RFC 8288. */
  #nextOf(link: string | undefined): string | undefined {
    const [, target] = /<([^>]+)>\s*;\s*rel="?next"?/.exec(link ?? '') ?? []
    const url = target !== undefined && URL.canParse(target, this.config.url.href) && new URL(target, this.config.url)
    return url && url.origin === this.config.url.origin && url.pathname.startsWith('/v2/')
      ? url.pathname + url.search
      : undefined
  }

  #lie = (what: string, how: string): UpstreamFailure =>
    new UpstreamFailure('lying', `Upstream ${this.name}, asked for ${what}, ${how}.`)
}

function wordsOnType({ 'content-type': header }: Headers): string {
  const type = typeIn(header)
  if (type === undefined || MANIFEST_MEDIA_TYPES.includes(type)) return 'it cannot be read as one'
  return `it is of type ${type}, which is not kept here`
}

const typeIn = (header: string | string[] | undefined) => textOf(header)?.split(';')[0]?.trim().toLowerCase()
