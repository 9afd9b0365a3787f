/** What the API works with, and what each of its calls carries. */
import type { Context, Hono } from 'hono'
import type { Caller } from '../access/caller.ts'
import type { Conductor } from '../conductor/conductor.ts'
import type { Config } from '../config/options.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Store } from '../records/store.ts'
import type { BodyShare } from './body-room.ts'

export type ApiParts = {
  conductor: Conductor
  store: Store
  config: Config
  log: Log
  metrics: Metrics
  /** What is in the file of [api] network_data_schema; left out: Nova's. */
  network_data_schema?: unknown
}

export type ApiEnv = {
  /** What a listener hands over with a request; left out: nothing, as in a test without one. */
  Bindings: { caller?: Caller } | undefined
  Variables: {
    /** The microversion served is 1.<minor>. */
    minor: number
    /** Base of links, without a slash at the end. */
    base: string
    request_id: string
    /** `.json` was taken from the end of the path. */
    hasJsonSuffix: boolean
    caller: Caller
    body: BodyShare
  }
}
export type App = Hono<ApiEnv>
export type Call = Context<ApiEnv>
