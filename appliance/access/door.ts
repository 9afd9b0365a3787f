/** The door of the operator's API: decides for each request who asks, and whether it is let through. */
import { trimEnd } from '@appliance/ground/trim-end'
import type { Caller } from './caller.ts'
import { type Headers, type IsOwnHost, requireJson, requireOwnHost, requireOwnOrigin } from './hosts.ts'
import type { Login } from './login.ts'
import { RoleForbids } from './refusals.ts'

/** What of a request decides. */
export type Asking = {
  method: string
  path: string
  header: Headers
  /** Host headers: two are an attack. */
  hosts: readonly string[]
  /** The authority of a request target that is a whole URL (RFC 9112 section 3.2.2). */
  target?: string
  address: string
  via: 'socket' | 'tcp'
}

export type DoorGiven = {
  /** undefined: nobody is asked who he is (noauth). */
  login: Pick<Login, 'check'> | undefined
  isOwnHost: IsOwnHost
  /** Beside the one that the request was sent to: [api] public_endpoint. */
  origins: readonly string[]
  isSecure: boolean
}

/** What anybody may ask. @source Ironic api/config.py acl_public_routes; /healthz and /ca.crt are our own */
const PUBLIC = /^(?:\/v1)?(?:\/lookup|\/heartbeat\/[a-z0-9-]+|\/continue_inspection)?$|^\/healthz$|^\/ca\.crt$/
const READS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])
export const isRead = (method: string): boolean => READS.has(method)

/** @returns who asks. @throws Refused */
export async function admit(asking: Asking, given: DoorGiven): Promise<Caller> {
  const { method, header, hosts, address, via } = asking
  if (!isRead(method)) requireJson(header)
  // A browser does not open unix sockets; who may open this one has the account of the appliance.
  if (via === 'socket') return { role: 'admin', address, via }
  requireOwnHost(hosts, given.isOwnHost)
  if (asking.target !== undefined) requireOwnHost([asking.target], given.isOwnHost)
  requireOwnOrigin(header, [...given.origins, `${given.isSecure ? 'https' : 'http'}://${hosts[0]?.toLowerCase()}`])
  if (given.login === undefined) return { role: 'admin', address, via }
  const authorization = header('authorization')
  const path = trimEnd(asking.path, '/')
  if (PUBLIC.test(path) && (path !== '/healthz' || authorization === undefined))
    return { role: 'machine', address, via }
  const { user, role } = await given.login.check(authorization, address)
  if (role === 'observer' && !isRead(method)) throw new RoleForbids(user, role)
  return { user, role, address, via }
}
