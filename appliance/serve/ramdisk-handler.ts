/** Lookup and heartbeat on the rack's side, with the versions that an agent asks for first. Nothing else of the API. */
import type { Caller } from '../access/caller.ts'
import type { RackHandler } from '../rack-server.ts'
import { fetchListener } from './fetch-listener.ts'

type Fetch = (request: Request, env: { caller: Caller }) => Response | Promise<Response>

/** A slash at the end means nothing, and `/lookup` is `/v1/lookup`, as in the whole API. A boot's number may lead. */
const PATH = /^(?:\/agent\/~[\w-]+)?(?:\/v1)?(?:\/lookup|\/continue_inspection|\/heartbeat\/[^/?]+)?\/*(?:\?|$)/

/** @param base  where machines reach this server: HTTP/1.0 has no Host header */
export function ramdiskHandler(api: { fetch: Fetch }, base: string): RackHandler {
  const answer = fetchListener((request, { incoming }) => {
    const address = 'socket' in incoming ? (incoming.socket.remoteAddress ?? '') : ''
    return api.fetch(request, { caller: { role: 'machine', address, via: 'rack' } })
  }, new URL(base).hostname)
  const handler: RackHandler = async (request, response) => {
    if (!PATH.test(request.url ?? '')) return false
    await answer(request, response)
    return true
  }
  return Object.assign(handler, { takesWrites: true as const })
}
