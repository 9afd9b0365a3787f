/** The HTTP server on the rack's side: boot scripts, the ramdisk's files, images. Machines only read from it. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Log } from './log.ts'

/** Answers the request and returns true, or returns false when the path is not its own. */
export type RackHandler = (request: IncomingMessage, response: ServerResponse) => Promise<boolean>

/** A machine that stops reading holds its connection no longer than this. */
const IDLE_TIMEOUT_MS = 60_000
const HEADERS_TIMEOUT_MS = 10_000
const CLOSE_DEADLINE_MS = 2_000

/** RFC 9112 section 3.2.2: a server takes the absolute form, too. */
const ABSOLUTE = /^http:\/\/[^/]*\/?/i

export type RackServer = { port: number; close(): Promise<void> }

/** @throws the listen error (EADDRINUSE, EACCES, ...) as it is */
export async function startRackServer(
  listen: { host: string; port: number },
  handlers: readonly RackHandler[],
  log: Log,
): Promise<RackServer> {
  const server = createServer((request, response) => void answer(request, response, handlers, log))
  server.headersTimeout = HEADERS_TIMEOUT_MS
  server.timeout = IDLE_TIMEOUT_MS
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(listen.port, listen.host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  return { port: (server.address() as AddressInfo).port, close: () => closeServer(server) }
}

async function answer(request: IncomingMessage, response: ServerResponse, handlers: readonly RackHandler[], log: Log) {
  try {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return void response.writeHead(405, { allow: 'GET, HEAD' }).end()
    }
    request.url = request.url?.replace(ABSOLUTE, '/')
    for (const handler of handlers) if (await handler(request, response)) return
    response.writeHead(404, { 'content-type': 'text/plain' }).end(`${request.url?.slice(0, 200)} is not served here\n`)
  } catch (error) {
    log.error('rack request failed', { path: request.url?.slice(0, 200), error })
    if (response.headersSent) response.destroy()
    else response.writeHead(500, { 'content-type': 'text/plain' }).end('the appliance failed; its log says why\n')
  }
}

/** Takes no more, and ends what is under way after a moment. */
export async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), CLOSE_DEADLINE_MS)
  await closed
  clearTimeout(timer)
}
