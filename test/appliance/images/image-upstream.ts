/** An image server on loopback that does as told: well, or as badly as servers in the world. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Handler = (request: IncomingMessage, response: ServerResponse) => void
export type ImageUpstream = AsyncDisposable & {
  url: string
  /** "GET /disk.raw bytes=0-65535", in order. */
  asked: string[]
  headers: IncomingMessage['headers'][]
}

export async function startUpstream(paths: Readonly<Record<string, Handler>>): Promise<ImageUpstream> {
  const asked: string[] = []
  const headers: IncomingMessage['headers'][] = []
  const server = createServer((request, response) => {
    const { method, url = '' } = request
    asked.push([method, url, request.headers.range].filter((part) => part !== undefined).join(' '))
    headers.push(request.headers)
    const handler = paths[url.split('?')[0] ?? '']
    if (handler) handler(request, response)
    else response.writeHead(404).end('no such file')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    headers,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** Whole or from an offset, as a good server does. */
export const file =
  (content: Buffer | string, etag = '"1"'): Handler =>
  (request, response) => {
    const bytes = Buffer.from(content)
    const [, first = '0', last = ''] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
    const [start, end] = [
      Number(first),
      Math.min(last === '' ? Number.POSITIVE_INFINITY : Number(last), bytes.length - 1),
    ]
    const range = request.headers.range ? { 'content-range': `bytes ${start}-${end}/${bytes.length}` } : {}
    response.writeHead(request.headers.range ? 206 : 200, { etag, 'content-length': end - start + 1, ...range })
    response.end(request.method === 'HEAD' ? undefined : bytes.subarray(start, end + 1))
  }
