/** The log of requests: a line for each, and one more for each change that was asked for, for audits. */
import type { Caller } from '../access/caller.ts'
import { isRead } from '../access/door.ts'
import type { Log } from '../log.ts'

export type Asked = {
  method: string
  path: string
  code: number
  duration_ms: number
  request_id?: string
  /** Address of what came to be. */
  created?: string
}
/** Who asked; of a request that was refused at the door no more may be known than where it came from. */
type Asker = Pick<Caller, 'address' | 'via'> & Partial<Caller>

const PATH_LIMIT = 300
/** A node by its uuid or name, as the path has it. */
const NODE = /^(?:.*\/v1|\/v1)?\/(?:nodes|heartbeat)\/([^/]{1,255})/

/** Queries may hold anything and stay out of the log; bodies, too. */
export function logRequest(log: Log, asked: Asked, { user, role, address, via }: Asker): void {
  const { method, code, request_id } = asked
  const node = NODE.exec(asked.created ?? '')?.[1] ?? NODE.exec(asked.path)?.[1]
  const path = asked.path.slice(0, PATH_LIMIT)
  const who = { ...(user !== undefined && { user }), address: address === '' ? via : address }
  const what = { method, path, ...(node !== undefined && { node }), code }
  const duration_ms = Math.round(asked.duration_ms * 10) / 10
  log[isRead(method) ? 'debug' : 'info']('api request', { request_id, ...who, ...what, duration_ms })
  // What agents tell of themselves is no change that somebody asked for.
  if (isRead(method) || role === 'machine') return
  const result = code < 400 ? 'accepted' : code < 500 ? 'refused' : 'failed'
  log.info('change asked for', { audit: true, request_id, ...who, ...(role && { role }), via, ...what, result })
}
