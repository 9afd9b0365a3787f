/** Lists: tags (end-8), referrers (end-12) and repositories, page by page. */
import type { Digest } from '../oci/digest.ts'
import { nameUnknown, unsupported } from '../oci/errors.ts'
import { INDEX_MEDIA_TYPE, parseManifest } from '../oci/manifest.ts'
import type { RepositoryName } from '../oci/names.ts'
import { answerJson, type Headers } from './answer.ts'
import { type Exchange, findIn } from './exchange.ts'

/** Repositories on a page by default. Tags have no default: clients that know no pages expect all at once. */
const CATALOG_PAGE = 1000
/** A list of referrers must stay a manifest that clients accept. */
const REFERRERS_PAGE_BYTES = 3 * 1024 * 1024

export async function listTags(exchange: Exchange, { name }: { name: RepositoryName }): Promise<void> {
  const place = await findIn(exchange, name, (one) => exchange.content.tags(one))
  if (place === undefined) throw nameUnknown(name)
  const { page, link } = pageOf(exchange, place.found, Number.POSITIVE_INFINITY)
  answerJson(exchange.response, { name, tags: page }, { ...link, ...place.headers })
}

export async function listRepositories(exchange: Exchange): Promise<void> {
  const names: RepositoryName[] = []
  for await (const name of exchange.storage.repositories.names()) if (exchange.sees?.(name) ?? true) names.push(name)
  names.sort()
  const { page, link } = pageOf(exchange, names, CATALOG_PAGE)
  answerJson(exchange.response, { repositories: page }, link)
}

function pageOf({ request, query }: Exchange, all: readonly string[], limit: number) {
  const wanted = query.get('n')
  if (wanted !== null && !/^\d{1,9}$/.test(wanted)) throw unsupported(`n is '${wanted}': expected a number.`)
  const n = wanted === null ? limit : Number(wanted)
  const last = query.get('last')
  const rest = last ? all.filter((one) => one > last) : all
  const page = rest.slice(0, n)
  const end = page.at(-1)
  return { page, link: end !== undefined && rest.length > n ? linkTo(request.url, { n: String(n), last: end }) : {} }
}

/** RFC 8288. */
function linkTo(url = '', change: Record<string, string>): Headers {
  const next = new URL(url, 'http://registry')
  for (const [name, value] of Object.entries(change)) next.searchParams.set(name, value)
  return { link: `<${next.pathname}${next.search}>; rel="next"` }
}

/** Never 404: that would tell a client that this registry has no referrers API. */
export async function listReferrers(
  exchange: Exchange,
  { name, digest }: { name: RepositoryName; digest: Digest },
): Promise<void> {
  const { query, request, response } = exchange
  const look = async (one: RepositoryName) => {
    const found = await exchange.content.referrers(one, digest)
    return found.length > 0 ? { name: one, digests: found } : undefined
  }
  const place = await findIn(exchange, name, look)
  const { descriptors, more } = await descriptorsOf(exchange, place?.found ?? { name, digests: [] })
  answerJson(
    response,
    { schemaVersion: 2, mediaType: INDEX_MEDIA_TYPE, manifests: descriptors },
    {
      'content-type': INDEX_MEDIA_TYPE,
      ...(query.has('artifactType') && { 'oci-filters-applied': 'artifactType' }),
      ...(more && linkTo(request.url, { last: more })),
      ...place?.headers,
    },
  )
}

type Descriptor = { mediaType: string; digest: string; size: number; artifactType?: string; annotations?: object }

/** @returns more  where the next page begins */
async function descriptorsOf(
  { content, query }: Exchange,
  { name, digests }: { name: RepositoryName; digests: readonly Digest[] },
): Promise<{ descriptors: Descriptor[]; more?: string }> {
  const last = query.get('last')
  const wanted = query.get('artifactType')
  const descriptors: Descriptor[] = []
  let bytes = 0
  let before: string | undefined
  for (const digest of last ? digests.filter((one) => one > last) : digests) {
    const stored = await content.manifest(name, digest)
    if (stored === undefined) continue
    const { mediaType, artifactType, annotations } = parseManifest(stored.bytes, stored.mediaType)
    if (wanted !== null && wanted !== (artifactType ?? '')) continue
    const one = {
      mediaType,
      digest,
      size: stored.bytes.length,
      ...(artifactType && { artifactType }),
      ...(annotations && { annotations }),
    }
    bytes += JSON.stringify(one).length
    if (bytes > REFERRERS_PAGE_BYTES && before !== undefined) return { descriptors, more: before }
    descriptors.push(one)
    before = digest
  }
  return { descriptors }
}
