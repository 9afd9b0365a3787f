/**
 * Lists of upstreams' tags and referrers, cached for the tag's ttl. The stored ones stand in for an upstream that
 * does not answer.
 */
import type { RegistryLog } from '../config/config.ts'
import { type Digest, parseDigest } from '../oci/digest.ts'
import { parseManifest } from '../oci/manifest.ts'
import { parseTag } from '../oci/names.ts'
import type { Content } from '../storage/content.ts'
import type { StoredManifest } from '../storage/manifests.ts'
import { UpstreamFailure } from './failure.ts'
import type { PulledManifests, Wanted } from './tags.ts'

/** A longer list is refused: an upstream could send pages without end. */
const PAGES_LIMIT = 200
const KEPT_LIMIT = 2_000

const fallbackTagOf = (subject: Digest) => parseTag(subject.replace(':', '-').slice(0, 71))
const manifestsIn = ({ bytes, mediaType }: StoredManifest) => parseManifest(bytes, mediaType).manifests

type Kept = { until: number; list: readonly string[] | undefined }
type Item = (json: Record<string, unknown>) => readonly unknown[] | undefined

const tagsIn: Item = ({ tags }) => (Array.isArray(tags) ? tags : tags === null ? [] : undefined)
const digestsIn: Item = ({ manifests }) =>
  Array.isArray(manifests) ? manifests.map((one: { digest?: unknown } | null) => one?.digest) : undefined

export class PulledLists {
  readonly #local: Content
  readonly #manifests: PulledManifests
  readonly #log: RegistryLog
  readonly #kept = new Map<string, Kept>()

  constructor(local: Content, manifests: PulledManifests, log: RegistryLog) {
    this.#local = local
    this.#manifests = manifests
    this.#log = log
  }

  /** @throws UpstreamFailure  none is stored, and the upstream does not answer */
  async tags(wanted: Wanted): Promise<readonly string[] | undefined> {
    const { name } = wanted
    try {
      const tags = await this.#told(wanted, 'tags/list', tagsIn)
      return tags?.filter((tag) => parseTag(tag) !== undefined).sort()
    } catch (error) {
      if (!(error instanceof UpstreamFailure)) throw error
      const here = await this.#local.tags(name)
      if (here === undefined || here.length === 0) throw error
      this.#log.warn('a list is served as it is here', { repository: name, list: 'tags', reason: error.message })
      return here
    }
  }

  /** Those of the upstream and the stored ones. */
  async referrers(wanted: Wanted, subject: Digest): Promise<readonly Digest[]> {
    const { name } = wanted
    const here = await this.#local.referrers(name, subject)
    try {
      const told =
        (await this.#told(wanted, `referrers/${subject}`, digestsIn)) ?? (await this.#fallback(wanted, subject))
      return [...new Set([...here, ...told.flatMap((one) => parseDigest(one) ?? [])])].sort()
    } catch (error) {
      if (!(error instanceof UpstreamFailure)) throw error
      this.#log.warn('a list is served as it is here', { repository: name, list: 'referrers', reason: error.message })
      const tag = fallbackTagOf(subject)
      const stored = tag && (await this.#local.manifest(name, tag))
      return [...new Set([...here, ...(stored ? manifestsIn(stored) : [])])].sort()
    }
  }

  /** The fallback of registries without a referrers API. @source OCI dist-spec, Referrers Tag Schema */
  async #fallback(wanted: Wanted, subject: Digest): Promise<readonly string[]> {
    const tag = fallbackTagOf(subject)
    const stored = tag && (await this.#manifests.get(wanted, tag))
    return stored ? manifestsIn(stored) : []
  }

  async #told({ upstream, repository, name }: Wanted, path: string, itemsOf: Item) {
    const key = `${name}/${path}`
    const kept = this.#kept.get(key)
    if (kept && Date.now() < kept.until) return kept.list
    let list: string[] | undefined
    let next: string | undefined = path
    for (let page = 0; next !== undefined && page < PAGES_LIMIT; page++) {
      const answer = await upstream.list(repository, next)
      const items = answer && itemsOf(answer.json)
      if (items === undefined) break
      list = [...(list ?? []), ...items.filter((one) => typeof one === 'string')]
      next = answer?.next
    }
    if (this.#kept.size >= KEPT_LIMIT) this.#kept.clear()
    const life_ms = list ? upstream.config.tag_ttl * 1000 : upstream.client.patience.retry_ms
    this.#kept.set(key, { until: Date.now() + life_ms, list })
    return list
  }
}
