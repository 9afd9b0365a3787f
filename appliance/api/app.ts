/**
 * The Ironic REST API: what every call goes through, and the resources it leads to. Reads and writes records; anything
 * that takes a decision about a machine is the conductor's.
 */
import { randomUUID } from 'node:crypto'
import { Hono } from 'hono'
import { getPath } from 'hono/utils/url'
import { timestamp } from '../records/timestamp.ts'
import { inTurn } from './in-turn.ts'
import { MAX_VERSION, MIN_VERSION, requestedMinor, VERSION_HEADER } from './microversions.ts'
import { notServed } from './not-served.ts'
import type { ApiEnv, ApiParts, App, Call } from './parts.ts'
import { addResource } from './resource.ts'
import { addConductors, addDrivers } from './v1/drivers.ts'
import { addManagement } from './v1/node/management.ts'
import { addReads } from './v1/node/reads.ts'
import { addMaintenance, addStates } from './v1/node/states.ts'
import { addTraits } from './v1/node/traits.ts'
import { addPortgroups } from './v1/portgroups.ts'
import { addRamdisk } from './v1/ramdisk.ts'
import { resourcesOf } from './v1/resources.ts'
import { addRoot } from './v1/root.ts'
import { answerError } from './wire-error.ts'

/**
 * Answers by its `fetch`. A caller that routes other paths beside it hands over requests, not routes: paths are read in
 * a way of its own.
 */
export function createApi(given: ApiParts, rowsOf: typeof resourcesOf = resourcesOf): App {
  const parts = { ...given, conductor: inTurn(given.conductor) }
  const app: App = new Hono<ApiEnv>({ getPath: wirePath })
  app.use(async (call, next) => {
    const began = performance.now()
    begin(call, parts)
    await next()
    finish(call, parts, performance.now() - began)
  })
  app.use(async (call, next) => {
    call.set(
      'minor',
      requestedMinor((name) => call.req.header(name)),
    )
    call.header(VERSION_HEADER, `1.${call.get('minor')}`)
    await next()
  })
  const rows = rowsOf(parts)
  addRoot(app, rows)
  for (const row of rows) addResource(app, parts, row)
  addPortgroups(app)
  addStates(app, parts)
  addMaintenance(app, parts)
  addManagement(app, parts)
  addTraits(app, parts)
  addReads(app, parts)
  addDrivers(app, parts)
  addConductors(app, parts, timestamp())
  addRamdisk(app, parts)
  app.notFound((call) => answerError(call, notServed(call), parts.log))
  app.onError((error, call) => answerError(call, error, parts.log))
  return app
}

/** A slash at the end means nothing, and `/nodes` is `/v1/nodes`. @source Ironic api/controllers/root.py _lookup */
function wirePath(request: Request): string {
  const path = getPath(request).replace(/\/+$/, '')
  if (path === '') return '/'
  return path === '/v1' || path.startsWith('/v1/') ? path : `/v1${path}`
}

function begin(call: Call, { config }: ApiParts): void {
  const request_id = `req-${randomUUID()}`
  call.set('request_id', request_id)
  call.set('base', config.api.public_endpoint?.replace(/\/+$/, '') ?? originOf(call.req.url))
  call.header('X-OpenStack-Ironic-API-Minimum-Version', MIN_VERSION)
  call.header('X-OpenStack-Ironic-API-Maximum-Version', MAX_VERSION)
  call.header('X-OpenStack-Request-Id', request_id)
  call.header('OpenStack-Request-Id', request_id)
}

function originOf(url: string): string {
  const end = url.indexOf('/', 'https://'.length)
  return end < 0 ? url : url.slice(0, end)
}

/** Queries may hold anything and stay out of the log. */
function finish(call: Call, { log, metrics }: ApiParts, duration_ms: number): void {
  const { method, path } = call.req
  const code = call.res.status
  metrics.observeRequest(method, code, duration_ms / 1000)
  const isRead = method === 'GET' || method === 'HEAD'
  log[isRead ? 'debug' : 'info']('api request', {
    request_id: call.get('request_id'),
    method,
    path: path.slice(0, 300),
    code,
    duration_ms: Math.round(duration_ms * 10) / 10,
  })
}
