/** The HTTP server on the rack's side: boot scripts, the ramdisk's files, images,
 * and the handlers that it is given. Files are only read. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from '@appliance/ground/http'
import { type Address, type Listening, listen } from '@appliance/ground/listen'
import type { Log } from './log.ts'

/** Answers the request and returns true, or returns false when the path is not its own. */
export type RackHandler = ((request: IncomingMessage, response: ServerResponse) => Promise<boolean>) & {
  /** Left out: it is asked GET and HEAD alone. */
  takesWrites?: true
}

/** A machine that stops reading holds its connection no longer than this. */
const IDLE_TIMEOUT_MS = 60_000
const HEADERS_TIMEOUT_MS = 10_000
/** Until a request has come whole: the largest is a heartbeat. */
const REQUEST_TIMEOUT_MS = 60_000
/** Node looks for connections over their time each 30 s when it is not told. */
const CHECK_EVERY_MS = 5_000

/** RFC 9112 section 3.2.2: a server takes the absolute form, too. */
const ABSOLUTE = /^http:\/\/[^/]*\/?/i

/** @throws the listen error (EADDRINUSE, EACCES, ...) as it is */
export async function startRackServer(
  address: Address,
  handlers: readonly RackHandler[],
  log: Log,
): Promise<Listening> {
  const server = createServer(
    { connectionsCheckingInterval: CHECK_EVERY_MS, requestTimeout: REQUEST_TIMEOUT_MS },
    (request, response) => void answer(request, response, handlers, log),
  )
  server.headersTimeout = HEADERS_TIMEOUT_MS
  server.timeout = IDLE_TIMEOUT_MS
  return listen(server, address)
}

async function answer(request: IncomingMessage, response: ServerResponse, handlers: readonly RackHandler[], log: Log) {
  try {
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    request.url = request.url?.replace(ABSOLUTE, '/')
    for (const handler of handlers) {
      if ((isRead || handler.takesWrites) && (await handler(request, response))) return
    }
    if (!isRead) return void response.writeHead(405, { allow: 'GET, HEAD' }).end()
    response.writeHead(404, { 'content-type': 'text/plain' }).end(`${request.url?.slice(0, 200)} is not served here\n`)
  } catch (error) {
    log.error('rack request failed', { path: request.url?.slice(0, 200), error })
    if (response.headersSent) response.destroy()
    else response.writeHead(500, { 'content-type': 'text/plain' }).end('the appliance failed; its log says why\n')
  }
}
