/** Fetches an image as a stream of what is to be written, verified. Picks up after a cut where the server lets it. */
import { createHash, type Hash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { PassThrough, type Readable, type Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { AgentError, messageOf } from '../errors.ts'
import { openFollowing, Refused, shownUrl, type TlsOptions } from '../protocol/http.ts'
import type { Retries } from '../protocol/retries.ts'
import type { Checksum } from './checksum.ts'
import type { ImageInfo, ImageVariant } from './image-info.ts'

export type DownloadOptions = {
  image: ImageInfo
  url: string
  /** undefined: plain. Its checksum vouches for the wire's bytes; `checksum` for the image's. */
  variant: ImageVariant | undefined
  checksum(): Promise<Checksum>
  timeout_s: number
  retries: Retries
  tls: TlsOptions
  signal: AbortSignal
  /** Each time more bytes have come over the wire. */
  onBytes(done: number, total: number | undefined): void
  onRetry(why: string): void
}
export type Download = {
  /** Size of the image as it will be written, when the server or Ironic gave it. */
  size_bytes: number | undefined
  encoding: 'zstd' | 'gzip' | undefined
  /** Ends when all came and its checksum is right; fails with AgentError otherwise. Read it once. */
  content: AsyncIterable<Buffer>
}

/** Small pieces cost the decompressor a round trip to another thread each. */
const GATHER_BYTES = 256 * 1024
const DECODED_CHUNK_BYTES = 1024 * 1024
const DECODERS: Record<ImageVariant['encoding'], () => Transform> = {
  zstd: () => createZstdDecompress({ chunkSize: DECODED_CHUNK_BYTES }),
  gzip: () => createGunzip({ chunkSize: DECODED_CHUNK_BYTES }),
}

/** Opens the first connection. @throws AgentError ImageDownloadError */
export async function startDownload(options: DownloadOptions): Promise<Download> {
  const { image, variant } = options
  const first = await connect(options, 0, undefined)
  const encoding = first.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity' && encoding !== variant?.encoding) {
    first.destroy()
    throw failed(options, `the server sent it as ${encoding}, which was not asked for`)
  }
  const decoder = encoding && encoding !== 'identity' && variant ? DECODERS[variant.encoding]() : undefined
  const expected = decoder && variant ? variant.checksum : await options.checksum()
  const hash = createHash(expected.algorithm)
  const wire = receive(options, first, hash, expected)
  return {
    size_bytes: decoder ? (image.size_bytes ?? (await plainLength(options))) : (lengthOf(first) ?? image.size_bytes),
    encoding: decoder ? variant?.encoding : undefined,
    content: decoder ? decode(wire, decoder, options) : wire,
  }
}

function failed({ image, url }: DownloadOptions, why: string, cause?: unknown): AgentError {
  return new AgentError('ImageDownloadError', `Download of image ${image.id} failed: ${shownUrl(url)}: ${why}.`, {
    cause,
  })
}

const lengthOf = (response: IncomingMessage) => {
  const length = Number(response.headers['content-length'])
  return Number.isSafeInteger(length) ? length : undefined
}

const headersOf = ({ image }: DownloadOptions, more: Record<string, string>) => ({
  ...(image.authorization ? { authorization: image.authorization } : {}),
  ...more,
})

/**
 * What it will be when unpacked, from the server that also has it plain. A server that does not say it costs a check,
 * no more.
 */
async function plainLength(options: DownloadOptions): Promise<number | undefined> {
  const { timeout_s, tls, signal } = options
  const headers = headersOf(options, { 'accept-encoding': 'identity' })
  const request = { method: 'HEAD', headers, timeout_s, tls, signal } as const
  const response = await openFollowing(new URL(options.url), request).catch(() => undefined)
  response?.resume()
  return response?.statusCode === 200 ? lengthOf(response) : undefined
}

/** From `offset` on when `etag` is given: 206, or 200 when the server begins anew. Tries again as often as it may. */
async function connect(options: DownloadOptions, offset: number, etag: string | undefined): Promise<IncomingMessage> {
  const { variant, timeout_s, tls, signal } = options
  const range: Record<string, string> = etag ? { range: `bytes=${offset}-`, 'if-range': etag } : {}
  const headers = headersOf(options, { 'accept-encoding': variant?.encoding ?? 'identity', ...range })
  for (;;) {
    try {
      const response = await openFollowing(new URL(options.url), { method: 'GET', headers, timeout_s, tls, signal })
      const status = response.statusCode ?? 0
      if (status === 200 || (status === 206 && etag)) return response
      response.destroy()
      const problem = `status code ${status}, expected 200`
      throw status < 500 ? new Refused(problem) : new Error(problem)
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof Refused || !(await options.retries.again())) throw failed(options, messageOf(error), error)
      options.onRetry(`${messageOf(error)}; trying again`)
    }
  }
}

/** The wire's bytes, hashed, counted, gathered; a cut is mended by Range when the answer has a strong ETag. */
async function* receive(
  options: DownloadOptions,
  first: IncomingMessage,
  hash: Hash,
  expected: Checksum,
): AsyncGenerator<Buffer> {
  const etag = /^"/.test(first.headers.etag ?? '') ? first.headers.etag : undefined
  const total = lengthOf(first)
  let response = first
  let done = 0
  for (;;) {
    try {
      for await (const chunk of gather(response)) {
        hash.update(chunk)
        done += chunk.length
        options.retries.progress(done)
        options.onBytes(done, total)
        yield chunk
      }
      if (total !== undefined && done !== total) throw new Error(`it ended after ${done} of ${total} bytes`)
      break
    } catch (error) {
      options.signal.throwIfAborted()
      const why = `the connection broke after ${done}${total ? ` of ${total}` : ''} bytes: ${messageOf(error)}`
      if (!etag || done > (total ?? 0)) throw new CutOff(failed(options, why, error))
      if (!(await options.retries.again())) throw failed(options, why, error)
      options.onRetry(`${why}; going on from there`)
      response = await resume(options, done, etag)
    }
  }
  const found = hash.digest('hex')
  if (found === expected.value.toLowerCase()) return
  throw new AgentError(
    'ImageChecksumError',
    `Image failed to verify against checksum. location: ${shownUrl(options.url)}; image ID: ${options.image.id}; image checksum: ` +
      `${expected.value}; verification checksum: ${found} (${expected.algorithm}, ${done} bytes)`,
  )
}

/** @throws CutOff  the server does not give the rest of the same bytes */
async function resume(options: DownloadOptions, done: number, etag: string): Promise<IncomingMessage> {
  const again = (why: string, cause: unknown) => new CutOff(failed(options, `it cannot be resumed: ${why}`, cause))
  const response = await connect(options, done, etag).catch((error: unknown) => {
    const cause = error instanceof AgentError ? error.cause : undefined
    throw cause instanceof Refused ? again(cause.message, error) : error
  })
  const from = /^bytes (\d+)-/.exec(response.headers['content-range'] ?? '')?.[1]
  if (response.statusCode === 206 && Number(from) === done) return response
  response.destroy()
  throw again(response.statusCode === 206 ? `the server went on at ${from}` : 'the image has changed since', undefined)
}

/** The image came in part, and must be fetched from its beginning. */
export class CutOff extends Error {
  readonly error: AgentError
  constructor(error: AgentError) {
    super(error.message, { cause: error })
    this.error = error
  }
}

async function* gather(source: Readable): AsyncGenerator<Buffer> {
  let chunks: Buffer[] = []
  let size = 0
  for await (const chunk of source) {
    chunks.push(chunk as Buffer)
    size += (chunk as Buffer).length
    if (size < GATHER_BYTES) continue
    yield Buffer.concat(chunks, size)
    chunks = []
    size = 0
  }
  if (size > 0) yield Buffer.concat(chunks, size)
}

/** What is decoded is passed on before the wire's checksum is known; only its end says that all was right. */
async function* decode(
  wire: AsyncIterable<Buffer>,
  decoder: Transform,
  options: DownloadOptions,
): AsyncGenerator<Buffer> {
  const output = new PassThrough({ objectMode: true, highWaterMark: 2 })
  const running = pipeline(wire, decoder, output, { signal: options.signal })
  // Its failure shows at the reader's side first.
  running.catch(() => {})
  try {
    for await (const chunk of output) yield chunk as Buffer
    await running
  } catch (error) {
    if (error instanceof AgentError || error instanceof CutOff) throw error
    options.signal.throwIfAborted()
    const why = `what the server sent as ${options.variant?.encoding} cannot be decompressed: ${messageOf(error)}`
    throw new AgentError('InvalidImage', `Image ${options.image.id} from ${shownUrl(options.url)}: ${why}.`, {
      cause: error,
    })
  }
}
