/** Uploads of blobs: end-4, end-5, end-6, end-11, end-13 and end-14 of the specification. */
import { algorithmOf, type Digest, isAlgorithm } from '../oci/digest.ts'
import {
  blobTooLarge,
  chunkOutOfOrder,
  digestInvalid,
  OciError,
  sizeInvalid,
  uploadInvalid,
  uploadUnknown,
} from '../oci/errors.ts'
import { parseName, type RepositoryName } from '../oci/names.ts'
import type { Upload } from '../storage/upload.ts'
import { answer } from './answer.ts'
import type { Exchange } from './exchange.ts'
import { requireDigest } from './route.ts'

type Target = { name: RepositoryName; id: string }

/** POST: starts an upload, does all of one, or mounts a blob that another repository has. */
export async function startUpload(exchange: Exchange, { name }: { name: RepositoryName }): Promise<void> {
  const { query, response, storage } = exchange
  const mount = query.get('mount')
  if (mount !== null && (await mountBlob(exchange, name, requireDigest(mount)))) return
  const whole = query.get('digest')
  const digest = whole === null ? undefined : requireDigest(whole)
  const upload = await storage.uploads.start(name, digest ? algorithmOf(digest) : algorithmFor(query))
  if (digest === undefined || mount !== null) return answer(response, 202, whereabouts(name, upload))
  try {
    await upload.append(bodyOf(exchange, upload))
  } catch (error) {
    // No client knows this upload.
    await storage.uploads.cancel(upload)
    throw error
  }
  await finish(exchange, { name, upload, digest })
}

function algorithmFor(query: URLSearchParams) {
  const algorithm = query.get('digest-algorithm') ?? 'sha256'
  if (!isAlgorithm(algorithm))
    throw digestInvalid(`Digests by ${algorithm} are not kept here: expected sha256 or sha512.`)
  return algorithm
}

/** Without `from`, the blob of any repository serves: a client that knows the digest knows the content. */
async function mountBlob({ query, response, storage, log }: Exchange, name: RepositoryName, digest: Digest) {
  const { repositories, blobs, mutex } = storage
  const from = query.get('from')
  const source = from === null ? undefined : parseName(from)
  if (from !== null && (source === undefined || !(await repositories.hasBlob(source, digest)))) return false
  const wasThere = await mutex.run(name, () =>
    mutex.run(digest, async () => {
      if (!(await blobs.freshen(digest))) return false
      await repositories.addBlob(name, digest)
      return true
    }),
  )
  if (!wasThere) return false
  log.info('blob mounted', { repository: name, digest, from: from ?? 'any' })
  answer(response, 201, { location: `/v2/${name}/blobs/${digest}`, 'docker-content-digest': digest })
  return true
}

export async function uploadState({ response, storage }: Exchange, { name, id }: Target): Promise<void> {
  answer(response, 204, whereabouts(name, await storage.uploads.find(name, id)))
}

export async function cancelUpload(exchange: Exchange, target: Target): Promise<void> {
  await withUpload(exchange, target, (upload) => exchange.storage.uploads.cancel(upload))
  answer(exchange.response, 204)
}

/** PATCH: one more chunk. */
export async function addChunk(exchange: Exchange, target: Target): Promise<void> {
  await withUpload(exchange, target, async (upload) => {
    await takeBody(exchange, target.name, upload)
    answer(exchange.response, 202, whereabouts(target.name, upload))
  })
}

/** PUT: the last chunk, if there is one more, and the digest of all. */
export async function finishUpload(exchange: Exchange, target: Target): Promise<void> {
  const digestText = exchange.query.get('digest')
  if (digestText === null) throw digestInvalid('The request names no digest: expected ?digest=sha256:...')
  const digest = requireDigest(digestText)
  await withUpload(exchange, target, async (upload) => {
    await takeBody(exchange, target.name, upload)
    await finish(exchange, { name: target.name, upload, digest })
  })
}

async function finish(
  { request, response, storage, log }: Exchange,
  { name, upload, digest }: { name: RepositoryName; upload: Upload; digest: Digest },
): Promise<void> {
  // The disk may take minutes for a large blob, in which this connection is silent.
  request.setTimeout(0)
  await storage.uploads.finish(name, upload, digest)
  log.info('blob pushed', { repository: name, digest, size_bytes: upload.offset })
  answer(response, 201, { location: `/v2/${name}/blobs/${digest}`, 'docker-content-digest': digest })
}

async function withUpload(exchange: Exchange, { name, id }: Target, act: (upload: Upload) => Promise<void>) {
  const upload = await exchange.storage.uploads.find(name, id)
  await upload.exclusively(
    () => exchange.request.destroy(),
    async () => {
      if (upload.ended) throw uploadUnknown(name, id)
      await act(upload)
    },
  )
}

/** @throws OciError  SIZE_INVALID, at once or during the body: the blob is larger than the limit */
function bodyOf(
  { request, storage }: Pick<Exchange, 'request' | 'storage'>,
  { offset }: Upload,
): AsyncIterable<Buffer> {
  const left = storage.max_blob_bytes - offset
  if (Number(request.headers['content-length'] ?? 0) > left) throw blobTooLarge(storage.max_blob_bytes)
  const body = request.iterator({ destroyOnReturn: false })
  return left === Number.POSITIVE_INFINITY ? body : limited(body, left, storage.max_blob_bytes)
}

async function* limited(body: AsyncIterable<Buffer>, left: number, limit_bytes: number): AsyncGenerator<Buffer> {
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > left) throw blobTooLarge(limit_bytes)
    yield chunk
  }
}

async function takeBody({ request, storage }: Exchange, name: RepositoryName, upload: Upload): Promise<void> {
  const began = upload.offset
  const length = chunkLength(request.headers, name, upload)
  try {
    await upload.append(bodyOf({ request, storage }, upload))
  } catch (error) {
    // The upload is too large already.
    if (error instanceof OciError) await storage.uploads.cancel(upload)
    throw error
  }
  const came = upload.offset - began
  if (length === undefined || came === length) return
  await upload.rollBack(began)
  throw sizeInvalid(`The chunk has ${came} bytes, its Content-Range says ${length}.`)
}

/** @returns as its Content-Range says; undefined when it has none, and is added to what is there */
function chunkLength(
  headers: Exchange['request']['headers'],
  name: RepositoryName,
  upload: Upload,
): number | undefined {
  const told = headers['content-range']
  if (told === undefined) return undefined
  // Some clients send the form that RFC 9110 defines for answers.
  const [, first = '', last = ''] = /^(?:bytes )?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/.exec(told) ?? []
  if (first === '') throw uploadInvalid(`Content-Range is '${told}': expected FIRST-LAST, both in bytes.`)
  if (Number(first) !== upload.offset)
    throw chunkOutOfOrder(
      `The chunk starts at byte ${first}, but ${upload.offset} bytes are there. Go on where Range says.`,
      whereabouts(name, upload),
    )
  const length = Number(last) - Number(first) + 1
  const sent = headers['content-length']
  if (length < 1 || (sent !== undefined && Number(sent) !== length))
    throw sizeInvalid(`Content-Length is ${sent}, but Content-Range '${told}' means ${length} bytes.`)
  return length
}

/** An empty upload has the range 0-0 as well: clients expect it. */
const whereabouts = (name: RepositoryName, { id, offset }: Upload) => ({
  location: `/v2/${name}/blobs/uploads/${id}`,
  range: `0-${Math.max(offset - 1, 0)}`,
  'docker-upload-uuid': id,
})
