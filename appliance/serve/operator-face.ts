/** Opens the operator's side: the API on [api] host_ip and port, and on a unix socket in state_path. */

import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { limitsOf } from '@appliance/ground/connection-limits'
import { makeFirstUser } from '../access/change-users.ts'
import type { DoorGiven } from '../access/door.ts'
import { canonicalHost, hostIn, type IsOwnHost } from '../access/hosts.ts'
import { Login } from '../access/login.ts'
import { Users } from '../access/users.ts'
import { createFace, type Incoming, type Inner } from '../api/face.ts'
import type { Config } from '../config/options.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { isAnyAddress } from './addresses.ts'
import type { ApiTls } from './api-tls.ts'
import { listen, listenOnSocket } from './listen.ts'

export type OperatorFace = {
  port: number
  close(): Promise<void>
}

type Given = { config: Config; log: Log; metrics: Metrics; inner: Inner; tls: ApiTls | undefined }

/** @throws ApplianceError  in the operator's words */
export async function openOperatorFace({ config, log, metrics, inner, tls }: Given): Promise<OperatorFace> {
  const { api, DEFAULT } = config
  const face = createFace(inner, await doorOf(config, log), { log, metrics })
  const fetchVia =
    (via: 'socket' | 'tcp') =>
    (request: Request, { incoming }: { incoming: unknown }) =>
      face(request, incoming as Incoming, via)
  const address = { host: api.host_ip, port: api.port, limits: limitsOf(api, 'api', log) }
  const tcp = await listen(fetchVia('tcp'), address, tls)
  const path = join(DEFAULT.state_path, 'api.sock')
  const socket = await listenOnSocket(fetchVia('socket'), path).catch((error: unknown) => {
    log.warn('the API has no unix socket', { path, reason: messageOf(error) })
    return undefined
  })
  return {
    port: tcp.port,
    close: async () => void (await Promise.all([tcp.close(), socket?.close()])),
  }
}

async function doorOf(config: Config, log: Log): Promise<DoorGiven> {
  const { api } = config
  const { public_endpoint } = api
  return {
    login: await loginOf(config, log),
    isOwnHost: ownHostsOf(config),
    origins: public_endpoint === undefined ? [] : [new URL(public_endpoint).origin],
    isSecure: api.enable_ssl_api,
  }
}

async function loginOf({ DEFAULT, api }: Config, log: Log): Promise<Login | undefined> {
  if (DEFAULT.auth_strategy === 'noauth') return undefined
  const path = DEFAULT.http_basic_auth_user_file
  await makeFirstUser(path, DEFAULT.state_path, log)
  return new Login(await Users.open(path, api.roles, log), log)
}

/** Names and addresses of the configuration; and, listening on all of them, those that the box has at the time. */
export function ownHostsOf({ DEFAULT, api }: Config): IsOwnHost {
  const endpoint = api.public_endpoint === undefined ? [] : [hostIn(new URL(api.public_endpoint).host) ?? '']
  const named = [DEFAULT.host, DEFAULT.my_ip, api.host_ip, 'localhost', '127.0.0.1', '::1', ...api.allowed_hosts]
  const known = new Set([...named.map(canonicalHost), ...endpoint])
  const listensOnAll = isAnyAddress(api.host_ip)
  const addresses = () =>
    Object.values(networkInterfaces()).flatMap((found) => found?.map(({ address }) => address) ?? [])
  return (host) => known.has(host) || (listensOnAll && addresses().map(canonicalHost).includes(host))
}
