/**
 * The Ironic REST API: what every call goes through, and the resources it leads to. Reads and writes records; anything
 * that takes a decision about a machine is the conductor's.
 */
import { randomUUID } from 'node:crypto'
import { trimEnd } from '@appliance/ground/trim-end'
import { Hono } from 'hono'
import { getPath } from 'hono/utils/url'
import type { Caller } from '../access/caller.ts'
import { timestamp } from '../records/timestamp.ts'
import { refuseUnrouted } from './allowed.ts'
import { BodyRoom } from './body-room.ts'
import { withoutBootNumber } from './boot-number.ts'
import { logRequest } from './log-request.ts'
import { MAX_VERSION, MIN_VERSION, requestedMinor, VERSION_HEADER } from './microversions.ts'
import type { ApiEnv, ApiParts, App, Call } from './parts.ts'
import { addResource } from './resource.ts'
import { addNodeAllocation } from './v1/allocations.ts'
import { addConductors } from './v1/conductors.ts'
import { addDrivers } from './v1/drivers.ts'
import { addEvents } from './v1/events.ts'
import { addHistory } from './v1/node/history.ts'
import { addIndicators } from './v1/node/indicators.ts'
import { addManagement } from './v1/node/management.ts'
import { addReadings } from './v1/node/readings.ts'
import { addReads } from './v1/node/reads.ts'
import { addMaintenance, addStates, addValidate } from './v1/node/states.ts'
import { addTraits } from './v1/node/traits.ts'
import { addVifs } from './v1/node/vifs.ts'
import { addVmedia } from './v1/node/vmedia.ts'
import { addRamdisk, RAMDISK } from './v1/ramdisk.ts'
import { resourcesOf } from './v1/resources.ts'
import { addRoot, OTHERS } from './v1/root.ts'
import { addRunbookTraits } from './v1/runbooks.ts'
import { addShards } from './v1/shards.ts'
import { addVendorPassthru } from './v1/vendor-passthru.ts'
import { addVolume } from './v1/volume.ts'
import { answerError } from './wire-error.ts'

/**
 * Answers by its `fetch`. A caller that routes other paths beside it hands over requests, not routes: paths are read in
 * a way of its own.
 */
export function createApi(parts: ApiParts, rowsOf: typeof resourcesOf = resourcesOf): App {
  const app = createBase(parts, parts.config.api.public_endpoint)
  const rows = rowsOf(parts)
  const collections = rows.filter(({ name }) => !name.includes('/')).map(({ name, since = 1 }) => [name, since])
  addRoot(app, { ...Object.fromEntries(collections), ...OTHERS })
  addValidate(app, parts)
  for (const row of rows) addResource(app, parts, row)
  addStates(app, parts)
  addMaintenance(app, parts)
  addManagement(app, parts)
  addTraits(app, parts)
  addRunbookTraits(app, parts)
  addIndicators(app, parts)
  addReadings(app, parts)
  addVifs(app, parts)
  addVmedia(app, parts)
  addVendorPassthru(app, parts)
  addVolume(app, parts)
  addNodeAllocation(app, parts)
  addShards(app, parts)
  addReads(app, parts)
  addHistory(app, parts)
  addEvents(app, parts)
  addDrivers(app, parts)
  addConductors(app, parts, timestamp())
  addRamdisk(app, parts, parts.config.api.enable_ramdisk_endpoints)
  return app
}

/** What machines may ask on the rack's side: versions, lookup and heartbeat. */
export function createRamdiskApi(parts: ApiParts): App {
  const app = createBase(parts)
  addRoot(app, RAMDISK)
  addRamdisk(app, parts, true)
  return app
}

/** @param public_endpoint  base of links; where the request came to when left out */
function createBase(parts: ApiParts, public_endpoint?: string): App {
  const app: App = new Hono<ApiEnv>({ getPath: wirePath })
  const rooms = { machines: new BodyRoom(), users: new BodyRoom() }
  app.use(async (call, next) => {
    const began = performance.now()
    begin(call, public_endpoint)
    const { role, address } = call.get('caller')
    const body = role === 'machine' ? rooms.machines.share(address) : rooms.users.share()
    call.set('body', body)
    await next().finally(body.free)
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
  app.notFound((call) => refuseUnrouted(app, call))
  app.onError((error, call) => answerError(call, error, parts.log))
  return app
}

/** No listener said who asks, as in a test without one: that is nobody who may do more than others. */
const NOBODY: Caller = { role: 'machine', address: '', via: 'tcp' }

/**
 * A slash at the end means nothing, `/nodes` is `/v1/nodes`, and `.json` at the end nothing to who asks for a version
 * before 1.91.
 * @source Ironic api/controllers/root.py _lookup, api/middleware/json_ext.py
 */
function wirePath(request: Request): string {
  const whole = trimEnd(withoutBootNumber(getPath(request)), '/')
  const path = hasJsonSuffix(whole, request) ? whole.slice(0, -'.json'.length) : whole
  if (path === '') return '/'
  return path === '/v1' || path.startsWith('/v1/') ? path : `/v1${path}`
}

/** Who asks for no version is served 1.1, and yet has the suffix taken for part of the path. */
const hasJsonSuffix = (path: string, { headers }: Request): boolean =>
  path.endsWith('.json') && Number(/^\s*1\.(\d{1,6})\s*$/.exec(headers.get(VERSION_HEADER) ?? '')?.[1] ?? 91) < 91

function begin(call: Call, public_endpoint: string | undefined): void {
  const request_id = `req-${randomUUID()}`
  call.set('request_id', request_id)
  call.set('base', public_endpoint?.replace(/\/+$/, '') ?? originOf(call.req.url))
  call.set('caller', call.env?.caller ?? NOBODY)
  const { raw } = call.req
  call.set('hasJsonSuffix', raw.url.includes('.json') && hasJsonSuffix(trimEnd(getPath(raw), '/'), raw))
  call.header('X-OpenStack-Ironic-API-Minimum-Version', MIN_VERSION)
  call.header('X-OpenStack-Ironic-API-Maximum-Version', MAX_VERSION)
  call.header('X-OpenStack-Request-Id', request_id)
  call.header('OpenStack-Request-Id', request_id)
}

function originOf(url: string): string {
  const end = url.indexOf('/', 'https://'.length)
  return end < 0 ? url : url.slice(0, end)
}

function finish(call: Call, { log, metrics }: ApiParts, duration_ms: number): void {
  const { method, path } = call.req
  const created = call.res.headers.get('location') ?? undefined
  const asked = { method, path, code: call.res.status, duration_ms, request_id: call.get('request_id') }
  metrics.observeRequest(method, asked.code, duration_ms / 1000)
  logRequest(log, { ...asked, ...(created !== undefined && { created }) }, call.get('caller'))
}
