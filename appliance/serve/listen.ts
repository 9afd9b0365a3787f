/** The API's socket: opens it, and closes it within a deadline whatever its clients do. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { ApplianceError, messageOf } from '../errors.ts'
import { closeServer } from '../rack-server.ts'

export type Listening = { port: number; close(): Promise<void> }
type Fetch = Parameters<typeof getRequestListener>[0]

const HEADERS_TIMEOUT_MS = 10_000
/** Long enough for the slowest body of the largest size; an answer may take longer, a BMC is asked behind some. */
const REQUEST_TIMEOUT_MS = 60_000

/** @throws ApplianceError  in the operator's words */
export async function listen(fetch: Fetch, { host, port }: { host: string; port: number }): Promise<Listening> {
  // HTTP/1.0 has no Host header: the address stands for it.
  const hostname = host.includes(':') ? `[${host}]` : host
  const server = createServer(getRequestListener(fetch, { overrideGlobalObjects: false, hostname }))
  server.headersTimeout = HEADERS_TIMEOUT_MS
  server.requestTimeout = REQUEST_TIMEOUT_MS
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  }).catch((error: unknown) => {
    throw cannotListen('[api] host_ip and port', `${host}:${port}`, error)
  })
  return { port: (server.address() as AddressInfo).port, close: () => closeServer(server) }
}

/** @param options  the ones to change, as the operator knows them */
export function cannotListen(options: string, address: string, error: unknown): ApplianceError {
  const { code } = error as NodeJS.ErrnoException
  const why =
    code === 'EADDRINUSE'
      ? 'another program listens there already'
      : code === 'EADDRNOTAVAIL'
        ? 'this box has no such address'
        : code === 'EACCES'
          ? 'ports below 1024 need root or CAP_NET_BIND_SERVICE'
          : messageOf(error)
  return new ApplianceError(`Cannot listen on ${address} (${options}): ${why}.`, { cause: error })
}
