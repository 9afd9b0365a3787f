/** Speaks to a registry by the distribution specification: bundles read and write content only through this client. */
import type { IncomingHttpHeaders } from 'node:http'
import { algorithmOf, type Digest, digestOf, parseDigest } from '../oci/digest.ts'
import { MANIFEST_LIMIT_BYTES, MANIFEST_MEDIA_TYPES } from '../oci/manifest.ts'
import { parseName, parseTag, type RepositoryName, type Tag } from '../oci/names.ts'
import type { StoredManifest } from '../storage/manifests.ts'
import { type Address, type Answer, type Ask, ask, discard, readAll, refusalOf } from './ask.ts'
import { BundleError } from './format.ts'

/** Of lists: tags, referrers, repositories. */
const LIST_LIMIT_BYTES = 64 * 1024 * 1024
const PAGE_LIMIT = 10_000
const PAGE = 1000

export class RegistryClient {
  readonly #address: Address
  readonly #headers: Readonly<Record<string, string>>

  constructor(address: Address, headers: Readonly<Record<string, string>> = {}) {
    this.#address = address
    this.#headers = headers
  }

  /** The same registry without its upstreams: its stored content alone. */
  get local(): RegistryClient {
    return new RegistryClient(this.#address, { 'cache-control': 'only-if-cached' })
  }

  /** A registry answers, and lets us in. */
  async isThere(): Promise<boolean> {
    const answer = await this.#ask('GET', '/v2/').catch(() => undefined)
    if (answer) discard(answer)
    return answer?.status === 200
  }

  /** @returns undefined  not there; so do all look-ups */
  async manifest(name: RepositoryName, reference: Digest | Tag): Promise<StoredManifest | undefined> {
    const path = `/v2/${name}/manifests/${reference}`
    const answer = await this.#ask('GET', path, { headers: { accept: MANIFEST_MEDIA_TYPES.join(', ') } })
    if (answer.status === 404) return discard(answer)
    const bytes = await this.#bytes(answer, { path, limit_bytes: MANIFEST_LIMIT_BYTES })
    const wanted = parseDigest(reference) ?? parseDigest(String(answer.headers['docker-content-digest']))
    const digest = digestOf(wanted ? algorithmOf(wanted) : 'sha256', bytes)
    if (wanted !== undefined && wanted !== digest)
      throw new BundleError(`The registry answers ${path} with something else: its digest is ${digest}, not ${wanted}.`)
    return { digest, mediaType: String(answer.headers['content-type']), bytes }
  }

  async hasManifest(name: RepositoryName, digest: Digest): Promise<boolean> {
    return (await this.#head(`/v2/${name}/manifests/${digest}`)) !== undefined
  }

  /** The digest that a tag has. */
  async tagged(name: RepositoryName, tag: Tag): Promise<Digest | undefined> {
    const headers = await this.#head(`/v2/${name}/manifests/${tag}`)
    return headers && parseDigest(String(headers['docker-content-digest']))
  }

  async blobSize(name: RepositoryName, digest: Digest): Promise<number | undefined> {
    const headers = await this.#head(`/v2/${name}/blobs/${digest}`)
    return headers && Number(headers['content-length'])
  }

  async blob(name: RepositoryName, digest: Digest): Promise<AsyncIterable<Buffer>> {
    const path = `/v2/${name}/blobs/${digest}`
    const answer = await this.#ask('GET', path)
    if (answer.status !== 200) throw await refusalOf(answer, `GET ${path}`)
    return answer.body
  }

  async tags(name: RepositoryName): Promise<Tag[] | undefined> {
    const pages = await this.#pages(`/v2/${name}/tags/list?n=${PAGE}`)
    return pages?.flatMap(({ tags }) => stringsOf(tags)).flatMap((text) => parseTag(text) ?? [])
  }

  async repositories(): Promise<RepositoryName[]> {
    const pages = (await this.#pages(`/v2/_catalog?n=${PAGE}`)) ?? []
    return pages.flatMap(({ repositories }) => stringsOf(repositories)).flatMap((text) => parseName(text) ?? [])
  }

  async referrers(name: RepositoryName, subject: Digest): Promise<Digest[]> {
    const pages = (await this.#pages(`/v2/${name}/referrers/${subject}`)) ?? []
    const descriptors = pages.flatMap(({ manifests }) => (Array.isArray(manifests) ? (manifests as unknown[]) : []))
    return descriptors.flatMap((one) => parseDigest(String((one as { digest?: unknown } | null)?.digest)) ?? [])
  }

  /** @returns false  no repository that the client may pull from has the blob */
  async mountBlob(name: RepositoryName, digest: Digest, from?: RepositoryName): Promise<boolean> {
    const path = `/v2/${name}/blobs/uploads/?mount=${digest}${from === undefined ? '' : `&from=${from}`}`
    const answer = await this.#ask('POST', path)
    if (answer.status !== 201 && answer.status !== 202) throw await refusalOf(answer, `POST ${path}`)
    discard(answer)
    if (answer.status === 202) await this.#cancel(String(answer.headers.location))
    return answer.status === 201
  }

  /** The registry proves the digest before anybody sees the blob. */
  async pushBlob(
    name: RepositoryName,
    { digest, size_bytes }: { digest: Digest; size_bytes: number },
    content: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    const path = `/v2/${name}/blobs/uploads/`
    const started = await this.#ask('POST', path)
    if (started.status !== 202) throw await refusalOf(started, `POST ${path}`)
    discard(started)
    const location = String(started.headers.location)
    try {
      const put = `${location}${location.includes('?') ? '&' : '?'}digest=${digest}`
      const headers = { 'content-length': String(size_bytes), 'content-type': 'application/octet-stream' }
      const answer = await this.#ask('PUT', put, { headers, body: content })
      if (answer.status !== 201) throw await refusalOf(answer, `PUT of blob ${digest} into ${name}`)
      discard(answer)
    } catch (error) {
      // The upload may have ended already; else the registry lets it expire.
      await this.#cancel(location).catch(() => {})
      throw error
    }
  }

  async pushManifest(name: RepositoryName, reference: Digest | Tag, stored: Omit<StoredManifest, 'digest'>) {
    const path = `/v2/${name}/manifests/${reference}`
    const headers = { 'content-type': stored.mediaType, 'content-length': String(stored.bytes.length) }
    const answer = await this.#ask('PUT', path, { headers, body: stored.bytes })
    if (answer.status !== 201) throw await refusalOf(answer, `PUT ${path}`)
    discard(answer)
  }

  async #cancel(location: string): Promise<void> {
    discard(await this.#ask('DELETE', location))
  }

  async #head(path: string): Promise<IncomingHttpHeaders | undefined> {
    const answer = await this.#ask('HEAD', path, { headers: { accept: MANIFEST_MEDIA_TYPES.join(', ') } })
    discard(answer)
    if (answer.status === 404) return undefined
    if (answer.status !== 200) throw new BundleError(`The registry answers HEAD ${path} with ${answer.status}.`)
    return answer.headers
  }

  async #pages(first: string): Promise<Record<string, unknown>[] | undefined> {
    const pages: Record<string, unknown>[] = []
    for (let path: string | undefined = first; path !== undefined; ) {
      const answer = await this.#ask('GET', path)
      if (answer.status === 404) return discard(answer)
      pages.push(JSON.parse((await this.#bytes(answer, { path, limit_bytes: LIST_LIMIT_BYTES })).toString()))
      if (pages.length > PAGE_LIMIT) throw new BundleError(`The registry's list ${first} does not end.`)
      path = /<([^>]+)>/.exec(String(answer.headers.link ?? ''))?.[1]
    }
    return pages
  }

  async #bytes(answer: Answer, { path, limit_bytes }: { path: string; limit_bytes: number }): Promise<Buffer> {
    if (answer.status !== 200) throw await refusalOf(answer, `GET ${path}`)
    return readAll(answer.body, limit_bytes)
  }

  #ask = (method: string, path: string, what: Ask = {}): Promise<Answer> =>
    ask(this.#address, `${method} ${path}`, { ...what, headers: { ...this.#headers, ...what.headers } })
}

const stringsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : []
