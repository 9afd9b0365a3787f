/** Sync sets: images that are to be here before anybody asks for them, with all they need. Pulls them as a client would, as a job. */
import { parsePlatform, wantedOf } from '../bundle/platforms.ts'
import { RegistryError, type RegistryLog, type UpstreamConfig } from '../config.ts'
import type { Content } from '../content.ts'
import type { Digest } from '../digest.ts'
import type { Job, Run } from '../keeping/jobs.ts'
import { parseManifest } from '../manifest.ts'
import { parseName, parseTag, type RepositoryName, type Tag } from '../names.ts'
import type { Storage } from '../storage/storage.ts'
import { parseSync, patternOf } from './config.ts'

const PIECE_BYTES = 1024 * 1024
/** An index in an index in an index is none that anybody needs. */
const DEPTH_LIMIT = 4

type Given = { content: Content; storage: Storage; log: RegistryLog }
type Image = { config: UpstreamConfig; name: RepositoryName; tag: Tag }

export function syncJob(configs: readonly UpstreamConfig[], interval_s: number, given: Given): Job {
  const isNeeded = configs.some(({ sync }) => sync.length > 0)
  return {
    name: 'sync',
    interval_s: isNeeded ? interval_s : 0,
    run: (run) => new Sync(given, run).all(configs),
  }
}

class Sync {
  readonly #given: Given
  readonly #run: Run
  readonly #counts = { images: 0, fetched_blobs: 0, fetched_bytes: 0 }
  readonly #failures: string[] = []

  constructor(given: Given, run: Run) {
    this.#given = given
    this.#run = run
  }

  /** Whatever cannot be had, all else is fetched. @throws RegistryError  some could not be had */
  async all(configs: readonly UpstreamConfig[]) {
    for (const config of configs)
      for (const text of config.sync)
        await this.#attempt(`${config.name}/${text}`, async () => {
          for await (const image of this.#imagesOf(config, text))
            await this.#attempt(`${image.name}:${image.tag}`, () => this.#image(image))
        })
    const [first] = this.#failures
    if (first !== undefined)
      throw new RegistryError(
        `${this.#counts.images} images are as the upstream has them; ${this.#failures.length} are not, such as ${first}`,
      )
    return this.#counts
  }

  async #attempt(what: string, act: () => Promise<void>): Promise<void> {
    this.#run.signal.throwIfAborted()
    try {
      await act()
    } catch (error) {
      this.#run.signal.throwIfAborted()
      const reason = (error as Error).message
      this.#given.log.warn('an image cannot be kept fresh', { image: what, reason })
      this.#failures.push(`${what}: ${reason}`)
    }
  }

  async *#imagesOf(config: UpstreamConfig, text: string): AsyncIterable<Image> {
    const wanted = parseSync(text)
    const name = wanted && parseName(`${config.name}/${wanted.repository}`)
    if (wanted === undefined || name === undefined) return
    const one = parseTag(wanted.tags)
    if (one !== undefined) return yield { config, name, tag: one }
    const pattern = patternOf(wanted.tags)
    for (const text of (await this.#given.content.tags(name)) ?? []) {
      const tag = pattern.test(text) ? parseTag(text) : undefined
      if (tag !== undefined) yield { config, name, tag }
    }
  }

  async #image({ config, name, tag }: Image): Promise<void> {
    const found = await this.#given.content.manifest(name, tag)
    if (found === undefined) throw new RegistryError('The upstream has no such tag.')
    await this.#manifest({ config, name, digest: found.digest }, 0)
    if (found.warning !== undefined) throw new RegistryError(found.warning)
    this.#counts.images++
  }

  async #manifest(at: { config: UpstreamConfig; name: RepositoryName; digest: Digest }, depth: number): Promise<void> {
    const { storage, content } = this.#given
    const { config, name, digest } = at
    const stored = await content.manifest(name, digest)
    if (stored === undefined) throw new RegistryError(`The upstream has no manifest ${digest}.`)
    // What is to be here is not the first to be evicted.
    storage.state.used(name, digest)
    const { blobs, manifests } = parseManifest(stored.bytes, stored.mediaType)
    for (const blob of blobs) await this.#blob(name, blob)
    if (depth >= DEPTH_LIMIT) return
    for (const one of wantedOf(stored, manifests, config.sync_platforms.map(parsePlatform)))
      await this.#manifest({ config, name, digest: one }, depth + 1)
  }

  async #blob(name: RepositoryName, digest: Digest): Promise<void> {
    const { storage, content } = this.#given
    this.#run.signal.throwIfAborted()
    const { repositories, blobs } = storage
    if ((await repositories.hasBlob(name, digest)) && (await blobs.sizeOf(digest)) !== undefined) return
    const reader = await content.openBlob(name, digest)
    if (reader === undefined) throw new RegistryError(`The upstream has no blob ${digest}.`)
    try {
      const buffer = Buffer.allocUnsafe(PIECE_BYTES)
      for (let at = 0; at < reader.size_bytes; ) {
        this.#run.signal.throwIfAborted()
        const bytes = await reader.read(buffer, buffer.length, at)
        if (bytes === 0) throw new RegistryError(`Blob ${digest} ended at ${at} of ${reader.size_bytes} bytes.`)
        at += bytes
        this.#counts.fetched_bytes += bytes
        this.#run.progress({ ...this.#counts, fetching: name })
      }
      this.#counts.fetched_blobs++
    } finally {
      await reader.close()
    }
  }
}
