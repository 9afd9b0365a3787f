/**
 * A web server for images that misbehaves on request: each path has a list of behaviours, one for each request; the
 * last one stays.
 */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync, zstdCompressSync } from 'node:zlib'

export type Behaviour = (request: IncomingMessage, response: ServerResponse) => void
export type ImageServer = AsyncDisposable & {
  url: string
  /** "GET /image.raw bytes=5-" for each request so far. */
  requests: string[]
  authorizations: (string | undefined)[]
  on(path: string, ...behaviours: Behaviour[]): void
}
export type ServeOptions = {
  etag?: string
  /** Precompressed forms, to whoever accepts them. */
  zstd?: Buffer
  gzip?: Buffer
  /** Breaks the connection after so many bytes. */
  cut_after?: number
  /** Says no more after so many bytes. */
  hang_after?: number
  /** Tells no length. */
  chunked?: boolean
  ranges?: boolean
  headers?: Record<string, string>
}

export const sha256 = (content: Buffer) => createHash('sha256').update(content).digest('hex')

export async function startImageServer(): Promise<ImageServer> {
  const paths = new Map<string, Behaviour[]>()
  const requests: string[] = []
  const authorizations: (string | undefined)[] = []
  const server = createServer((request, response) => {
    requests.push([request.method, request.url, request.headers.range].filter(Boolean).join(' '))
    authorizations.push(request.headers.authorization)
    const behaviours = paths.get((request.url ?? '').replace(/\?.*/, '')) ?? []
    const behaviour = behaviours.length > 1 ? behaviours.shift() : behaviours[0]
    if (behaviour) behaviour(request, response)
    else response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    authorizations,
    on: (path, ...behaviours) => void paths.set(path, behaviours),
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

export function serve(content: Buffer, options: ServeOptions = {}): Behaviour {
  return (request, response) => {
    const accepted = String(request.headers['accept-encoding'])
    const encoding = (['zstd', 'gzip'] as const).find((name) => options[name] && accepted.includes(name))
    const whole = (encoding && options[encoding]) ?? content
    const [, from] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? []
    const start =
      options.ranges !== false && from && request.headers['if-range'] === options.etag ? Number(from) : undefined
    const body = whole.subarray(start ?? 0)
    response.writeHead(start === undefined ? 200 : 206, {
      ...(options.chunked ? {} : { 'content-length': String(body.length) }),
      ...(encoding ? { 'content-encoding': encoding } : {}),
      ...(options.etag ? { etag: options.etag } : {}),
      ...(start === undefined ? {} : { 'content-range': `bytes ${start}-${whole.length - 1}/${whole.length}` }),
      ...options.headers,
    })
    if (request.method === 'HEAD') return void response.end()
    const { cut_after, hang_after } = options
    if (hang_after !== undefined) return void response.write(body.subarray(0, hang_after))
    if (cut_after === undefined) return void response.end(body)
    response.write(body.subarray(0, cut_after), () => setImmediate(() => response.destroy()))
  }
}

export const status =
  (code: number, headers: Record<string, string> = {}): Behaviour =>
  (_request, response) =>
    void response.writeHead(code, headers).end()

/** Takes the request, and never says a word. */
export const silence: Behaviour = () => {}

/** As the appliance tells of a precompressed form. */
export function variantOf(encoding: 'zstd' | 'gzip', content: Buffer) {
  const bytes = encoding === 'zstd' ? zstdCompressSync(content) : gzipSync(content)
  return {
    bytes,
    info: { encoding, size_bytes: bytes.length, checksum: { algorithm: 'sha256', value: sha256(bytes) } },
  }
}
