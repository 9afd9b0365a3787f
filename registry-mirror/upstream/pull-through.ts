/**
 * Upstreams in front of local storage: a Content that fetches what is not here, and stores it. Names of no upstream
 * are local.
 */

import { unlessMissing } from '@appliance/ground/errno'
import type { RegistryLog, UpstreamConfig } from '../config/config.ts'
import type { Digest } from '../oci/digest.ts'
import { denied } from '../oci/errors.ts'
import { parseManifest } from '../oci/manifest.ts'
import type { RepositoryName } from '../oci/names.ts'
import { hostsOf } from '../oci/pull-secret.ts'
import type { BlobReader } from '../storage/blobs.ts'
import { type Content, localContent } from '../storage/content.ts'
import type { Storage } from '../storage/storage.ts'
import type { ClientOptions } from './client.ts'
import { refusalOf, UpstreamFailure } from './failure.ts'
import { PulledLists } from './lists.ts'
import { OtherUpstreams } from './others.ts'
import { PulledManifests, type Wanted } from './tags.ts'
import { Transfers } from './transfers.ts'
import { Upstream, type UpstreamStatus } from './upstream.ts'

const MISSING_LIMIT = 20_000

type Given = ClientOptions & {
  storage: Storage
  log: RegistryLog
  /** Options of upstreams that no section names. Default: the defaults of a section. */
  others?: Partial<UpstreamConfig>
}

export class PullThrough {
  readonly content: Content
  readonly #upstreams: readonly Upstream[]
  readonly #others: OtherUpstreams
  readonly #storage: Storage
  readonly #transfers: Transfers
  readonly #manifests: PulledManifests
  readonly #lists: PulledLists
  /** Blobs that an upstream does not have, and until when that answer counts. */
  readonly #missing = new Map<string, number>()

  private constructor(
    { upstreams, others }: { upstreams: readonly Upstream[]; others: OtherUpstreams },
    storage: Storage,
    log: RegistryLog,
  ) {
    this.#others = others
    // The longest name first: one may begin with another.
    this.#upstreams = upstreams.toSorted((a, b) => b.name.length - a.name.length)
    this.#storage = storage
    this.#transfers = new Transfers(storage, log)
    this.#manifests = new PulledManifests(storage, log)
    const local = localContent(storage)
    this.#lists = new PulledLists(local, this.#manifests, log)
    this.content = this.#contentOver(local)
  }

  static async open(
    configs: readonly UpstreamConfig[],
    { storage, log, others = {}, ...options }: Given,
  ): Promise<PullThrough> {
    const upstreams = configs.map((config) => new Upstream(config, options))
    const through = new PullThrough(
      { upstreams, others: new OtherUpstreams((config) => new Upstream(config, options), others) },
      storage,
      log,
    )
    await through.#transfers.open()
    return through
  }

  /** @throws OciError  the repository is an upstream's, and takes no pushes */
  refusePush(name: RepositoryName): void {
    const upstream = this.#upstreams.find((one) => one.repositoryOf(name) !== undefined)
    if (upstream)
      throw denied(
        `Repository ${name} is pulled from upstream ${upstream.name} (${upstream.config.url.host}); nothing can be pushed to it. Push to a name that does not begin with ${upstream.name}/.`,
      )
  }

  /** Whether the operator lets the repository be pulled, where it is an upstream's. */
  isServed(name: RepositoryName): boolean {
    const upstream = this.#upstreams.find((one) => one.repositoryOf(name) !== undefined)
    const repository = upstream?.repositoryOf(name)
    return upstream === undefined || repository === undefined || upstream.isAllowed(repository)
  }

  /** State of each upstream, and its requests since the start. */
  get upstreams(): readonly UpstreamStatus[] {
    return [...this.#upstreams, ...this.#others.all].map((one) => one.status)
  }

  /** The configured upstream of a repository name or a host. */
  configured({ name, host }: { name: RepositoryName; host: string }): Upstream | undefined {
    return (
      this.#upstreams.find((one) => one.repositoryOf(name) !== undefined) ??
      this.#upstreams.find(({ config: { url } }) => hostsOf(host).includes(url.host))
    )
  }

  /** An upstream that no section names. @throws RegistryError  there are too many */
  other = (host: string): Upstream => this.#others.of(host)

  /** Resolves at the end of the blob's transfer: the blob is stored then, or the transfer has failed. */
  settled = (digest: Digest): Promise<void> => this.#transfers.settled(digest)

  /** Aborts all transfers; after the next start they continue from their bytes. */
  async close(): Promise<void> {
    await this.#transfers.close()
    await Promise.all([...this.#upstreams, ...this.#others.all].map((one) => one.close()))
  }

  #contentOver(local: Content): Content {
    return {
      manifest: (name, reference) =>
        this.#through(
          name,
          (wanted) => this.#manifests.get(wanted, reference),
          () => local.manifest(name, reference),
        ),
      blobSize: (name, digest) =>
        this.#through(
          name,
          async (wanted) => (await local.blobSize(name, digest)) ?? this.#askSize(wanted, digest),
          () => local.blobSize(name, digest),
        ),
      openBlob: (name, digest) =>
        this.#through(
          name,
          async (wanted) => {
            const here = await local.openBlob(name, digest)
            wanted.upstream.counts[here ? 'hits' : 'misses']++
            return here ?? this.#pullBlob(wanted, digest)
          },
          () => local.openBlob(name, digest),
        ),
      tags: (name) =>
        this.#through(
          name,
          (wanted) => this.#lists.tags(wanted),
          () => local.tags(name),
        ),
      referrers: (name, subject) =>
        this.#through(
          name,
          (wanted) => this.#lists.referrers(wanted, subject),
          () => local.referrers(name, subject),
        ),
    }
  }

  /** Opens a blob that this repository does not have yet. */
  async #pullBlob(wanted: Wanted, digest: Digest): Promise<BlobReader | undefined> {
    const { blobs } = this.#storage
    const { name } = wanted
    if (this.#isMissing(name, digest)) return undefined
    const isElsewhere = !this.#transfers.mayJoin(name, digest) || (await blobs.sizeOf(digest)) !== undefined
    if (isElsewhere) {
      if (!(await this.#isVouched(wanted, digest))) return undefined
      if ((await this.#claim(name, digest)) !== undefined) return blobs.open(digest)
    } else if (!this.#transfers.mayJoin(name, digest)) return this.#pullBlob(wanted, digest)
    const transfer = this.#transfers.join({ ...wanted, digest })
    // The transfer may have ended a moment ago: its file is the blob now.
    const reader = await transfer.reader().catch((error: unknown) => {
      unlessMissing(error)
      return blobs.open(digest)
    })
    if (reader === undefined) this.#rememberMissing(wanted, digest)
    return reader
  }

  async #askSize(wanted: Wanted, digest: Digest): Promise<number | undefined> {
    const { name, upstream, repository } = wanted
    if (this.#isMissing(name, digest)) return undefined
    const size = (await this.#isNamed(name, digest)) ? await this.#claim(name, digest) : undefined
    const told = size ?? (await upstream.blobSize(repository, digest))
    if (told === undefined) this.#rememberMissing(wanted, digest)
    return told
  }

  /**
   * Whether the upstream's repository has a blob that another repository brought here. A client that may pull from this
   * repository alone must not get others' blobs by their digests.
   */
  async #isVouched(wanted: Wanted, digest: Digest): Promise<boolean> {
    if (await this.#isNamed(wanted.name, digest)) return true
    if ((await wanted.upstream.blobSize(wanted.repository, digest)) !== undefined) return true
    this.#rememberMissing(wanted, digest)
    return false
  }

  /** Whether a manifest of this repository, which its upstream gave us, names the blob. */
  async #isNamed(name: RepositoryName, digest: Digest): Promise<boolean> {
    const { manifests, repositories } = this.#storage
    for await (const one of repositories.manifests(name)) {
      const stored = await manifests.byDigest(name, one)
      if (stored && parseManifest(stored.bytes, stored.mediaType).blobs.includes(digest)) return true
    }
    return false
  }

  /** A blob of another repository is not fetched again. @returns its size; undefined  it is not stored */
  async #claim(name: RepositoryName, digest: Digest): Promise<number | undefined> {
    const { blobs, repositories, mutex } = this.#storage
    return mutex.run(name, () =>
      mutex.run(digest, async () => {
        if (!(await blobs.freshen(digest))) return undefined
        await repositories.addBlob(name, digest)
        return blobs.sizeOf(digest)
      }),
    )
  }

  #isMissing = (name: RepositoryName, digest: Digest) => (this.#missing.get(`${name}@${digest}`) ?? 0) > Date.now()
  #rememberMissing({ name, upstream }: Wanted, digest: Digest): void {
    if (this.#missing.size >= MISSING_LIMIT) this.#missing.clear()
    this.#missing.set(`${name}@${digest}`, Date.now() + upstream.client.patience.retry_ms)
  }

  async #through<T>(name: RepositoryName, ask: (wanted: Wanted) => Promise<T>, askLocal: () => Promise<T>): Promise<T> {
    const wanted = this.sourceOf(name)
    if (wanted === undefined) return askLocal()
    try {
      return await ask(wanted)
    } catch (error) {
      throw error instanceof UpstreamFailure ? refusalOf(error) : error
    }
  }

  /**
   * Which upstream a repository is pulled from.
   * @returns undefined  from none
   * @throws OciError  the operator does not want it pulled
   */
  sourceOf(name: RepositoryName): Wanted | undefined {
    for (const upstream of this.#upstreams) {
      const repository = upstream.repositoryOf(name)
      if (repository === undefined) continue
      if (upstream.isAllowed(repository)) return { upstream, repository, name }
      throw denied(
        `Repository ${name} is not for this mirror to pull: see allow and deny of [upstream:${upstream.name}].`,
      )
    }
    return this.#heldOf(name)
  }

  /**
   * From an upstream that no section names, only held images are pulled: clients cannot make us ask strangers.
   */
  #heldOf(name: RepositoryName): Wanted | undefined {
    const host = this.#storage.state.held.get(name)?.find((one) => one.host !== undefined)?.host
    const upstream = host === undefined ? undefined : this.#others.of(host)
    const repository = upstream?.repositoryOf(name)
    return upstream && repository !== undefined ? { upstream, repository, name } : undefined
  }
}
