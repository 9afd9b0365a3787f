/** The API over a real store in a folder of the test's own, asked in process. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createApi } from '../../../appliance/api/app.ts'
import type { ApiParts, App } from '../../../appliance/api/parts.ts'
import type { Resource } from '../../../appliance/api/resource.ts'
import { resourcesOf } from '../../../appliance/api/v1/resources.ts'
import type { Conductor } from '../../../appliance/conductor/conductor.ts'
import { startConductor } from '../../../appliance/conductor/start.ts'
import type { Config } from '../../../appliance/config/options.ts'
import { createHardware } from '../../../appliance/hardware/hardware.ts'
import type { Log } from '../../../appliance/log.ts'
import { createMetrics, type Metrics } from '../../../appliance/metrics.ts'
import type { DeployPlugin } from '../../../appliance/plugin-api/index.ts'
import { createHistories } from '../../../appliance/records/histories.ts'
import { createInspections } from '../../../appliance/records/inspections.ts'
import type { Base, Kinds } from '../../../appliance/records/kind.ts'
import { KINDS } from '../../../appliance/records/kinds.ts'
import { openStoreOf } from '../../../appliance/records/open-store.ts'
import type { Store } from '../../../appliance/records/store.ts'
import direct from '../../../plugins/direct/index.ts'
import { configOf, imagesOnPaper } from '../conductor/trial.ts'
import { keptLog, type LogLine, quiet, stateFolder } from '../records/state-folder.ts'
import { type Recording, recording } from './conductors.ts'

export const BASE = 'http://api.test:6385'
export type Json = Record<string, unknown>
export type Answer = { status: number; headers: Headers; text: string; body: Json; fault: string }
export type Ask = (
  method: string,
  path: string,
  body?: unknown,
  options?: { version?: string; headers?: Record<string, string> },
) => Promise<Answer>
export type Rig = {
  app: App
  ask: Ask
  store: Store
  /** Its orders are only written down, unless the test brought another. */
  conductor: Recording
  config: Config
  metrics: Metrics
  lines: LogLine[]
}

export type RigOptions = {
  api?: Partial<Config['api']>
  ini?: string
  network_data_schema?: unknown
  conductor?: (real: Conductor) => Conductor
  /** A kind of records, and a resource, beside the appliance's own. */
  more?: { kinds: Kinds; resource(parts: ApiParts): Resource<Base> }
}

export async function openRig(t: TestContext, options: RigOptions = {}): Promise<Rig> {
  const state_path = stateFolder(t)
  const { more } = options
  const store = await openStoreOf({ ...KINDS, ...more?.kinds }, { state_path, log: quiet })
  t.after(() => store.close())
  const { log, lines }: { log: Log; lines: LogLine[] } = keptLog()
  const read = configOf(`[DEFAULT]\nstate_path = ${state_path}\n${options.ini ?? ''}`)
  const config: Config = { ...read, api: { ...read.api, ...options.api } }
  const real = startConductor({
    hostname: 'rack-1',
    ...{ store, config, log },
    hardware: createHardware({ config, log }),
    images: imagesOnPaper(),
    plugins: [direct as unknown as DeployPlugin],
    folder: join(state_path, 'procedures'),
    inspections: createInspections(join(state_path, 'inspections')),
    histories: createHistories(join(state_path, 'histories')),
    api_url: () => BASE,
    http_url: () => 'http://172.22.0.1:8080',
  })
  t.after(() => real.stop())
  const conductor = (options.conductor ?? recording)(real) as Recording
  const metrics = createMetrics()
  const rows = (parts: ApiParts) => [...resourcesOf(parts), ...(more ? [more.resource(parts)] : [])]
  const app = createApi(
    { conductor, store, config, log, metrics, network_data_schema: options.network_data_schema },
    rows,
  )
  return {
    app,
    ask: asker((path, init) => app.request(`${BASE}${path}`, init)),
    store,
    conductor,
    config,
    metrics,
    lines,
  }
}

/** @param send  brings a request to the API */
export function asker(send: (path: string, init: RequestInit) => Response | Promise<Response>): Ask {
  return async (method, path, body, { version = '1.115', headers = {} } = {}) => {
    const response = await send(path, {
      method,
      headers: {
        ...(version === '' ? {} : { 'X-OpenStack-Ironic-API-Version': version }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    const parsed: Json = text === '' ? {} : (JSON.parse(text) as Json)
    const { faultstring = '' } =
      Object(parsed).error_message !== undefined ? JSON.parse(String(parsed.error_message)) : {}
    return { status: response.status, headers: response.headers, text, body: parsed, fault: String(faultstring) }
  }
}

/** A node made through the API. */
export async function enrolled(ask: Ask, fields: Json = {}): Promise<Json & { uuid: string }> {
  const { status, body, text } = await ask('POST', '/v1/nodes', { driver: 'ipmi', ...fields })
  assert.equal(status, 201, text)
  return body as Json & { uuid: string }
}

/** Uuids, or another field, of the records of a list. */
export const listed = (answer: Answer, name = 'nodes', field = 'uuid'): unknown[] =>
  (answer.body[name] as Json[]).map((record) => record[field])
