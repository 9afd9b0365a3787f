/**
 * The HTTP face: one table of endpoints and methods, and the one place where errors become answers. Bare node:http
 * (see DECISIONS.md).
 */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isDiskFull } from '@appliance/ground/errno'
import { ReserveReached } from '@appliance/ground/reserve'
import type { RegistryLog } from '../config/config.ts'
import { methodNotAllowed, OciError } from '../oci/errors.ts'
import { localContent } from '../storage/content.ts'
import { answer, answerError, answerErrors, answerJson } from './answer.ts'
import { deleteBlob, headBlob, pullBlob } from './blobs.ts'
import type { Exchange, Sees, Served } from './exchange.ts'
import { listReferrers, listRepositories, listTags } from './lists.ts'
import { deleteManifest, pullManifest, pushManifest } from './manifests.ts'
import { type Route, routeOf } from './route.ts'
import { addChunk, cancelUpload, finishUpload, startUpload, uploadState } from './uploads.ts'

type Endpoints = {
  readonly [E in Route['endpoint']]: Readonly<
    Record<string, (exchange: Exchange, route: Extract<Route, { endpoint: E }>) => Promise<void> | void>
  >
}

const support = ({ response }: Exchange) => answerJson(response, {})

const ENDPOINTS: Endpoints = {
  support: { GET: support, HEAD: support },
  catalog: { GET: listRepositories },
  manifest: { GET: pullManifest, HEAD: pullManifest, PUT: pushManifest, DELETE: deleteManifest },
  blob: { GET: pullBlob, HEAD: headBlob, DELETE: deleteBlob },
  uploads: { POST: startUpload },
  upload: { GET: uploadState, PATCH: addChunk, PUT: finishUpload, DELETE: cancelUpload },
  tags: { GET: listTags, HEAD: listTags },
  referrers: { GET: listReferrers, HEAD: listReferrers },
}

const DRAIN_LIMIT_BYTES = 64 * 1024 * 1024

/** What a request asks to do: rules of access allow or forbid it. */
export type Action = 'pull' | 'push' | 'delete'
/** @returns which repositories a list may name; undefined  all @throws OciError  unauthorized or denied */
export type Authorize = (
  request: IncomingMessage,
  wanted: { action: Action; route: Route; query: URLSearchParams },
) => Promise<Sees | undefined> | Sees | undefined

/** Answers a request under /v2 and returns true; false when the path is none of the registry's. Never rejects. */
export async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  served: Served & { authorize?: Authorize },
): Promise<boolean> {
  const url = request.url ?? '/'
  const at = url.indexOf('?')
  const path = at < 0 ? url : url.slice(0, at)
  if (path !== '/v2' && !path.startsWith('/v2/')) return false
  // The code that reads and writes the connection reports a break of it.
  request.on('error', () => {})
  response.on('error', () => {})
  try {
    const query = new URLSearchParams(at < 0 ? '' : url.slice(at + 1))
    await dispatch(
      { ...served, content: contentFor(request, served), request, response, query },
      path,
      served.authorize,
    )
  } catch (error) {
    answerFailure(error, request, response, served)
  }
  return true
}

/** RFC 9111 section 5.2.1.7: only-if-cached asks for stored content, not for an upstream's. */
const contentFor = ({ headers }: IncomingMessage, { content, storage }: Served) =>
  headers['cache-control'] === 'only-if-cached' ? localContent(storage) : content

async function dispatch(exchange: Exchange, path: string, authorize: Authorize | undefined): Promise<void> {
  const { request, response, query } = exchange
  const route = routeOf(path)
  if (route === undefined) return answer(response, 404)
  const method = request.method ?? 'GET'
  const act = Object.hasOwn(ENDPOINTS[route.endpoint], method) && ENDPOINTS[route.endpoint][method]
  if (!act) throw methodNotAllowed(method, Object.keys(ENDPOINTS[route.endpoint]))
  const sees = await authorize?.(request, { action: actionOf(method, route), route, query })
  // Each endpoint gets its own kind of route: the type of the table says so, and the look-up loses it.
  await (act as (exchange: Exchange, route: Route) => Promise<void> | void)(
    { ...exchange, ...(sees && { sees }) },
    route,
  )
}

const actionOf = (method: string, { endpoint }: Route): Action =>
  endpoint === 'upload' || endpoint === 'uploads' || method === 'PUT' ? 'push' : method === 'DELETE' ? 'delete' : 'pull'

function answerFailure(error: unknown, request: IncomingMessage, response: ServerResponse, { log }: Served): void {
  if (response.destroyed || request.errored) {
    // The client has left.
    response.destroy()
  } else if (response.headersSent) {
    log.error('an answer broke off', aboutFailure(error, request))
    // The client must not take a part for the whole.
    response.destroy()
  } else {
    if (error instanceof OciError) answerError(response, error)
    else answerUnforeseen(error, response, log)
    drain(request)
  }
}

const aboutFailure = (error: unknown, { method, url }: IncomingMessage) => ({
  method,
  url,
  error: (error as Error)?.stack ?? String(error),
})

/** Many clients read the answer only after they have sent all. A client that still sends very much is cut off. */
function drain(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return
  let left = DRAIN_LIMIT_BYTES
  request.on('data', ({ length }: Buffer) => {
    left -= length
    if (left < 0) request.destroy()
  })
  request.resume()
}

function answerUnforeseen(error: unknown, response: ServerResponse, log: RegistryLog): void {
  const request_id = randomUUID()
  const about = { request_id, ...aboutFailure(error, response.req) }
  if (isDiskFull(error)) {
    log.error('the disk of the registry is full', about)
    const message =
      error instanceof ReserveReached ? error.message : "The registry's disk is full. Nothing was changed."
    answerErrors(response, 507, { code: 'UNKNOWN', message })
  } else {
    log.error('a request failed', about)
    const message = `The registry failed; its log tells why (request ${request_id}).`
    answerErrors(response, 500, { code: 'UNKNOWN', message })
  }
}
