/** References to images as a person writes them: HOST[:PORT]/PATH[:TAG][@DIGEST]. */
import { RegistryError } from '../oci/errors.ts'
import { type Digest, parseDigest } from './digest.ts'
import { parseName, parseTag, type RepositoryName, type Tag } from './names.ts'

export type Reference = {
  /** With its port, as it was written. */
  host: string
  path: RepositoryName
  /** undefined: only the digest tells. */
  tag?: Tag
  digest?: Digest
  /** With its tag, or without one its digest. */
  canonical: string
}

const DOCKER_HOSTS = ['docker.io', 'index.docker.io', 'registry-1.docker.io']
const HOST = /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*(?::\d{1,5})?$/

/** @throws RegistryError  it is none */
export function parseReference(text: string): Reference {
  const wrong = (why: string) =>
    new RegistryError(
      `'${text.slice(0, 300)}' names no image: ${why}. Expected HOST/PATH:TAG or HOST/PATH@DIGEST, such as quay.io/org/app:v1.`,
    )
  if (/^[a-z-]+:\/\//.test(text)) throw wrong('it begins with a scheme')
  const [, hostText = '', pathText = '', tagText, digestText] =
    /^([^/@]+)\/([^:@]+)(?::([^/:@]+))?(?:@(\S+))?$/.exec(text) ?? []
  const host = dockerHost(hostText.toLowerCase())
  const isHost = HOST.test(host) && URL.canParse(`https://${host}`) && (/[.:]/.test(host) || host === 'localhost')
  if (!isHost) throw wrong('it does not begin with a host')
  const path = parseName(host === 'docker.io' && !pathText.includes('/') ? `library/${pathText}` : pathText)
  if (path === undefined) throw wrong(`'${pathText}' is no name of a repository`)
  const digest = digestText === undefined ? undefined : parseDigest(digestText)
  if (digestText !== undefined && digest === undefined) throw wrong('what follows the @ is no digest')
  const tag = tagText === undefined ? (digest ? undefined : parseTag('latest')) : parseTag(tagText)
  if (tagText !== undefined && tag === undefined) throw wrong(`'${tagText}' is no tag`)
  const canonical = `${host}/${path}${tag ? `:${tag}` : `@${digest}`}`
  return { host, path, canonical, ...(tag && { tag }), ...(digest && { digest }) }
}

const dockerHost = (host: string) => (DOCKER_HOSTS.includes(host) ? 'docker.io' : host)
