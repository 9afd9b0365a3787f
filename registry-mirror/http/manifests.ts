/** Manifests: end-3, end-7 and end-9 of the specification. */

import { isKnown } from '@appliance/ground/range'
import { readLimited } from '@appliance/ground/read-limited'
import type { Digest } from '../oci/digest.ts'
import { algorithmOf, digestOf } from '../oci/digest.ts'
import { digestInvalid, manifestTooLarge, manifestUnknown, tooManyTags } from '../oci/errors.ts'
import { MANIFEST_LIMIT_BYTES, parseManifest } from '../oci/manifest.ts'
import type { RepositoryName, Tag } from '../oci/names.ts'
import { type FoundManifest, isDigest } from '../storage/content.ts'
import { answer, answerBytes } from './answer.ts'
import { conditionOf, etagOf } from './conditions.ts'
import { type Exchange, findIn } from './exchange.ts'
import { requireTag } from './route.ts'

const TAG_LIMIT = 100

type Target = { name: RepositoryName; reference: Digest | Tag }

/** GET and HEAD. Never converts a manifest: a client that cannot read it says so. */
export async function pullManifest(exchange: Exchange, { name, reference }: Target): Promise<void> {
  const { content, request, response, onBytes, storage } = exchange
  const place = await findIn(exchange, name, (one) => content.manifest(one, reference))
  if (place === undefined) throw manifestUnknown(name, reference)
  const { digest, mediaType, bytes, warning } = place.found satisfies FoundManifest
  storage.state.used(place.name, digest)
  const headers = {
    'content-type': mediaType,
    'docker-content-digest': digest,
    etag: etagOf(digest),
    ...(warning && { warning: `299 - "${warning.replace(/["\\]/g, "'")}"` }),
    ...place.headers,
  }
  if (isKnown(request.headers, headers.etag)) return answer(response, 304, headers)
  answerBytes(response, bytes, headers)
  if (request.method === 'GET') onBytes(bytes.length)
}

export async function pushManifest(exchange: Exchange, { name, reference }: Target): Promise<void> {
  const { request, response, storage, query, log } = exchange
  const more = query.getAll('tag').map(requireTag)
  if (more.length > TAG_LIMIT) throw tooManyTags(TAG_LIMIT)
  const bytes = await bodyOf(exchange)
  const digest = digestOf(isDigest(reference) ? algorithmOf(reference) : 'sha256', bytes)
  if (isDigest(reference) && digest !== reference)
    throw digestInvalid(`The manifest has the digest ${digest}, not ${reference}.`, {
      digest: reference,
      found: digest,
    })
  const manifest = parseManifest(bytes, request.headers['content-type'])
  const tags = [...new Set(isDigest(reference) ? more : [reference, ...more])]
  const condition = conditionOf(request.headers)
  // Before the manifest is stored: eviction must not take it for pulled content.
  await storage.state.pushed(name, digest)
  await storage.manifests.push({ name, digest, bytes, manifest, tags, ...(condition && { condition }) })
  log.info('manifest pushed', { repository: name, digest, tags })
  answer(response, 201, {
    location: `/v2/${name}/manifests/${digest}`,
    'docker-content-digest': digest,
    etag: etagOf(digest),
    ...(manifest.subject && { 'oci-subject': manifest.subject }),
    ...(more.length > 0 && { 'oci-tag': more.join(', ') }),
  })
}

/** Removes by digest the manifest and all its tags, by tag the tag alone. */
export async function deleteManifest(exchange: Exchange, { name, reference }: Target): Promise<void> {
  const { storage, response, log } = exchange
  if (isDigest(reference)) await freshenBlobs(exchange, { name, reference })
  const wasThere = isDigest(reference)
    ? await storage.manifests.remove(name, reference)
    : await storage.manifests.removeTag(name, reference)
  if (!wasThere) throw manifestUnknown(name, reference)
  log.info(isDigest(reference) ? 'manifest deleted' : 'tag deleted', { repository: name, reference })
  answer(response, 202)
}

/** Clients that pull the manifest can finish: its blobs stay for a while. */
async function freshenBlobs({ storage }: Exchange, { name, reference }: { name: RepositoryName; reference: Digest }) {
  const stored = await storage.manifests.byDigest(name, reference)
  if (stored === undefined) return
  const { blobs, foreignBlobs, manifests, others } = parseManifest(stored.bytes, stored.mediaType)
  for (const one of [...blobs, ...foreignBlobs, ...manifests, ...others]) await storage.blobs.freshen(one)
}

async function bodyOf({ request }: Exchange): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > MANIFEST_LIMIT_BYTES)
    throw manifestTooLarge(MANIFEST_LIMIT_BYTES)
  // The answer goes out on the same connection.
  const body = request.iterator({ destroyOnReturn: false })
  return readLimited(body, MANIFEST_LIMIT_BYTES, () => manifestTooLarge(MANIFEST_LIMIT_BYTES))
}
