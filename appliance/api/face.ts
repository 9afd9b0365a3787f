/** What a listener of the operator's API calls: the door first, then the operations of the box, then the API. */
import { getPath } from 'hono/utils/url'
import type { Caller } from '../access/caller.ts'
import { type Asking, admit, type DoorGiven } from '../access/door.ts'
import { DoorFailed, Refused, RoleForbids } from '../access/refusals.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { withoutBootNumber } from './boot-number.ts'
import { logRequest } from './log-request.ts'
import { refusalOf } from './wire-error.ts'

/** What a listener tells of a request beside the request. */
export type Incoming = {
  rawHeaders: readonly string[]
  url?: string | undefined
  socket: { remoteAddress?: string | undefined }
}
export type Inner = (request: Request, env: { caller: Caller }) => Response | Promise<Response>
export type Face = (request: Request, incoming: Incoming, via: Asking['via']) => Promise<Response>

export function createFace(inner: Inner, door: DoorGiven, { log, metrics }: { log: Log; metrics: Metrics }): Face {
  return async (request, incoming, via) => {
    const began = performance.now()
    const asking = askingOf(request, incoming, via)
    let caller: Caller
    try {
      caller = await admit({ ...asking, path: withoutBootNumber(asking.path) }, door)
    } catch (error) {
      const { method, path } = asking
      if (!(error instanceof Refused)) log.error('the door of the api failed', { method, path, error })
      const refused = error instanceof Refused ? error : new DoorFailed()
      const duration_ms = performance.now() - began
      metrics.observeRequest(method, refused.code, duration_ms / 1000)
      logRequest(log, { method, path, code: refused.code, duration_ms }, { ...asking, ...knownOf(refused) })
      return refusalOf(refused)
    }
    return inner(request, { caller })
  }
}

/** Of who is known and may not. */
const knownOf = (error: Refused) => (error instanceof RoleForbids ? { user: error.user, role: error.role } : {})

function askingOf(request: Request, { rawHeaders, url = '', socket }: Incoming, via: Asking['via']): Asking {
  const hosts = rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === 'host')
  const target = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(url)?.[1]
  return {
    method: request.method,
    // As the API itself reads it: a path that means one thing to both cannot pass the door as another.
    path: getPath(request),
    header: (name) => request.headers.get(name) ?? undefined,
    ...{ hosts, address: socket.remoteAddress ?? '', via },
    ...(target !== undefined && { target }),
  }
}
