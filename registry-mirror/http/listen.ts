/** The registry's own socket: opens it, and closes it within a deadline whatever its clients do. */
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { RegistryError } from '../config.ts'
import type { Certificate } from './certificate.ts'

const HEADERS_TIMEOUT_MS = 10_000
/** Nothing sent or received for so long; a whole body may take any time. */
const IDLE_TIMEOUT_MS = 120_000
const CLOSE_DEADLINE_MS = 1_000

export type Listening = { port: number; close(): Promise<void> }

/** @throws RegistryError  in the operator's words */
export async function listen(
  listener: RequestListener,
  { host_ip, port }: { host_ip: string; port: number },
  certificate?: Certificate,
): Promise<Listening> {
  const options = { requestTimeout: 0, headersTimeout: HEADERS_TIMEOUT_MS, noDelay: true }
  const server = certificate
    ? createSecureServer({ ...options, ...certificate.current, minVersion: 'TLSv1.2' }, listener)
    : createServer(options, listener)
  server.timeout = IDLE_TIMEOUT_MS
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host_ip, () => {
      server.off('error', reject)
      resolve()
    })
  }).catch((error: NodeJS.ErrnoException) => {
    const why =
      error.code === 'EADDRINUSE'
        ? 'another program listens there already'
        : error.code === 'EADDRNOTAVAIL'
          ? 'this box has no such address'
          : error.message
    throw new RegistryError(`Cannot listen on ${host_ip}:${port} ([registry] host_ip and port): ${why}.`, {
      cause: error,
    })
  })
  const unfollow = certificate && 'setSecureContext' in server ? certificate.follow(server) : () => {}
  const close = async () => {
    unfollow()
    await closeServer(server)
  }
  return { port: (server.address() as AddressInfo).port, close }
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), CLOSE_DEADLINE_MS)
  await closed
  clearTimeout(timer)
}
