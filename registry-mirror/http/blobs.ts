/** Blobs: end-2 and end-10 of the specification. */
import { isKnown, rangeOf } from '@appliance/ground/range'
import type { Digest } from '../oci/digest.ts'
import { blobUnknown } from '../oci/errors.ts'
import type { RepositoryName } from '../oci/names.ts'
import type { BlobReader } from '../storage/blobs.ts'
import { answer, head } from './answer.ts'
import { etagOf } from './conditions.ts'
import { type Exchange, findIn } from './exchange.ts'
import { sendBlob } from './send-blob.ts'

type Target = { name: RepositoryName; digest: Digest }

const headersOf = (digest: Digest) => ({
  'content-type': 'application/octet-stream',
  'docker-content-digest': digest,
  'accept-ranges': 'bytes',
  // A digest always means the same content.
  'cache-control': 'max-age=31536000, immutable',
  etag: etagOf(digest),
})

export async function headBlob(exchange: Exchange, { name, digest }: Target): Promise<void> {
  const { content, request, response, storage } = exchange
  // The client may be about to push a manifest that needs the blob.
  await storage.mutex.run(digest, () => storage.blobs.freshen(digest))
  const place = await findIn(exchange, name, (one) => content.blobSize(one, digest))
  if (place === undefined) throw blobUnknown(name, digest)
  const headers = { ...headersOf(digest), ...place.headers }
  if (isKnown(request.headers, headers.etag)) return answer(response, 304, headers)
  head(response, 200, { ...headers, 'content-length': place.found }).end()
}

export async function pullBlob(exchange: Exchange, { name, digest }: Target): Promise<void> {
  const { content, request, response } = exchange
  const place = await findIn(exchange, name, (one) => content.openBlob(one, digest))
  if (place === undefined) throw blobUnknown(name, digest)
  const { found: blob } = place
  try {
    const headers = { ...headersOf(digest), ...place.headers }
    if (isKnown(request.headers, headers.etag)) return answer(response, 304, headers)
    const { size_bytes } = blob
    const range = rangeOf(request.headers, { size_bytes, etag: headers.etag })
    if (range === 'unsatisfiable') return answer(response, 416, { 'content-range': `bytes */${size_bytes}` })
    if (size_bytes === 0) return answer(response, 200, headers)
    const { start, end } = range ?? { start: 0, end: size_bytes - 1 }
    head(response, range ? 206 : 200, {
      ...headers,
      'content-length': end - start + 1,
      ...(range && { 'content-range': `bytes ${start}-${end}/${size_bytes}` }),
    })
    await sendBody(exchange, blob, { start, end })
  } finally {
    await blob.close()
  }
}

async function sendBody(exchange: Exchange, blob: BlobReader, range: { start: number; end: number }): Promise<void> {
  const { request, response, log } = exchange
  const { bytes, isTooSlow } = await sendBlob(blob, response, { ...exchange, range })
  if (isTooSlow)
    log.warn('a client took too little and was cut', { ip: request.socket.remoteAddress, url: request.url, bytes })
  if (bytes === range.end - range.start + 1) response.end()
  // The client must not take a part for the whole.
  else response.destroy()
}

/** Removes this repository's claim alone: garbage collection removes the content once nothing needs it. */
export async function deleteBlob(exchange: Exchange, { name, digest }: Target): Promise<void> {
  const { storage, response, log } = exchange
  const wasThere = await storage.mutex.run(name, () => storage.repositories.removeBlob(name, digest))
  if (!wasThere) throw blobUnknown(name, digest)
  await storage.blobs.freshen(digest)
  log.info('blob deleted', { repository: name, digest })
  answer(response, 202)
}
