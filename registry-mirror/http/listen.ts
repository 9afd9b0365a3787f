/** The registry's own socket: opens it, and closes it within a deadline whatever its clients do. */
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { RegistryError } from '../config.ts'

const HEADERS_TIMEOUT_MS = 10_000
/** Nothing sent or received for so long; a whole body may take any time. */
const IDLE_TIMEOUT_MS = 120_000
const CLOSE_DEADLINE_MS = 1_000

export type Listening = { port: number; close(): Promise<void> }

/** @throws RegistryError  in the operator's words */
export async function listen(listener: RequestListener, host_ip: string, port: number): Promise<Listening> {
  const server = createServer({ requestTimeout: 0, headersTimeout: HEADERS_TIMEOUT_MS, noDelay: true }, listener)
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
  return { port: (server.address() as AddressInfo).port, close: () => close(server) }
}

async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), CLOSE_DEADLINE_MS)
  await closed
  clearTimeout(timer)
}
