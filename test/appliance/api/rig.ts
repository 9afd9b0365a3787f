/** The API over a real store in a folder of the test's own, asked in process. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { createApi } from '../../../appliance/api/app.ts'
import type { App } from '../../../appliance/api/parts.ts'
import type { Config } from '../../../appliance/config/options.ts'
import { NO_FILE, readConfig } from '../../../appliance/config/read.ts'
import type { Log } from '../../../appliance/log.ts'
import { createMetrics, type Metrics } from '../../../appliance/metrics.ts'
import type { Store } from '../../../appliance/nodes/store.ts'
import { keptLog, type LogLine, openAt, stateFolder } from '../nodes/state-folder.ts'
import { type ConductorOnPaper, conductorOnPaper } from './conductor-on-paper.ts'

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
  conductor: ConductorOnPaper
  config: Config
  metrics: Metrics
  lines: LogLine[]
}

export function defaultConfig(change: Partial<Config['api']> = {}): Config {
  const config = readConfig(NO_FILE, { host: 'rack-1', my_ip: () => '127.0.0.1' })
  return { ...config, api: { ...config.api, ...change } }
}

type RigOptions = { api?: Partial<Config['api']>; conductor?: (store: Store) => ConductorOnPaper }

export async function openRig(t: TestContext, options: RigOptions = {}): Promise<Rig> {
  const store = await openAt(t, stateFolder(t))
  const conductor = (options.conductor ?? conductorOnPaper)(store)
  const config = defaultConfig(options.api)
  const { log, lines }: { log: Log; lines: LogLine[] } = keptLog()
  const metrics = createMetrics()
  const app = createApi({ conductor, store, config, log, metrics })
  return { app, ask: asker(app), store, conductor, config, metrics, lines }
}

function asker(app: App): Ask {
  return async (method, path, body, { version = '1.115', headers = {} } = {}) => {
    const response = await app.request(`${BASE}${path}`, {
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
    const { faultstring = '' } = 'error_message' in parsed ? JSON.parse(String(parsed.error_message)) : {}
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
