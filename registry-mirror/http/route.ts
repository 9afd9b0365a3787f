/** Finds the endpoint of the specification that a URL means, and checks all names in it. */
import { type Digest, parseDigest } from '../oci/digest.ts'
import { digestInvalid, manifestInvalid, nameInvalid, unsupported } from '../oci/errors.ts'
import { parseName, parseTag, type RepositoryName, type Tag } from '../oci/names.ts'

export type Route =
  | { endpoint: 'support' }
  | { endpoint: 'catalog' }
  | { endpoint: 'manifest'; name: RepositoryName; reference: Digest | Tag }
  | { endpoint: 'blob'; name: RepositoryName; digest: Digest }
  | { endpoint: 'uploads'; name: RepositoryName }
  | { endpoint: 'upload'; name: RepositoryName; id: string }
  | { endpoint: 'tags'; name: RepositoryName }
  | { endpoint: 'referrers'; name: RepositoryName; digest: Digest }

// The name is greedy: `manifests` or `blobs` may be one of its components.
const PATH = /^\/v2\/(.+)\/(?:(manifests|referrers)\/([^/]+)|blobs\/uploads(?:\/([^/]*))?|blobs\/([^/]+)|(tags)\/list)$/

/**
 * @param path  as it stands in the request, without its query
 * @returns undefined  none
 * @throws OciError  a name, tag or digest that cannot be one
 */
export function routeOf(path: string): Route | undefined {
  if (path === '/v2/' || path === '/v2') return { endpoint: 'support' }
  if (path === '/v2/_catalog') return { endpoint: 'catalog' }
  const [, nameText, kind, reference = '', upload, blob, tags] = PATH.exec(decoded(path)) ?? []
  if (nameText === undefined) return undefined
  const name = parseName(nameText)
  if (name === undefined) throw nameInvalid(nameText)
  if (tags !== undefined) return { endpoint: 'tags', name }
  if (kind === 'manifests') return { endpoint: 'manifest', name, reference: referenceOf(reference) }
  if (kind === 'referrers') return { endpoint: 'referrers', name, digest: requireDigest(reference) }
  if (blob !== undefined) return { endpoint: 'blob', name, digest: requireDigest(blob) }
  return upload ? { endpoint: 'upload', name, id: upload } : { endpoint: 'uploads', name }
}

/** @throws OciError  DIGEST_INVALID */
export function requireDigest(text: string): Digest {
  const digest = parseDigest(text)
  if (digest === undefined)
    throw digestInvalid(`'${text}' is no digest: expected sha256: and 64, or sha512: and 128 lower-case hex digits.`)
  return digest
}

/** @throws OciError */
export function requireTag(text: string): Tag {
  const tag = parseTag(text)
  if (tag === undefined)
    throw manifestInvalid(
      `'${text}' is no tag: expected at most 128 letters, digits, '_', '.' and '-', the first one no '.' or '-'.`,
    )
  return tag
}

const referenceOf = (text: string) => (text.includes(':') ? requireDigest(text) : requireTag(text))

function decoded(path: string): string {
  if (!path.includes('%')) return path
  try {
    return decodeURIComponent(path)
  } catch {
    // A broken escape has no meaning.
    throw unsupported('The path holds a % that escapes nothing.')
  }
}
