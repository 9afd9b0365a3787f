/** Opens a server's socket, and closes it within a deadline whatever its clients do. */
import { rm } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import process from 'node:process'
import { CONNECTION_LIMITS, type ConnectionLimits, limitConnections } from './connection-limits.ts'

export type Listening = { port: number; close(): Promise<void> }
export type Address = { host: string; port: number; limits?: ConnectionLimits | undefined }

const CLOSE_DEADLINE_MS = 2_000

/** @param port  0: any that is free. @throws the error of listen(2); whyNoPort says it in the operator's words */
export async function listen(server: Server, { host, port, limits = CONNECTION_LIMITS }: Address): Promise<Listening> {
  limitConnections(server, limits)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen(port, host, resolve)
  await promise
  server.off('error', reject)
  return { port: (server.address() as AddressInfo).port, close: () => closeServer(server) }
}

/** The umask while a socket is made: its account alone may connect, from the first moment on. */
const OWNER_ALONE = 0o177

/**
 * A unix socket for the account of this process. One that is there already is taken for left over: whoever calls this
 * has made sure. @throws the error of listen(2); a path beyond 107 bytes is one reason
 */
export async function listenOnPath(server: Server, path: string): Promise<Listening> {
  await rm(path, { force: true })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  const umask = process.umask(OWNER_ALONE)
  // The socket is bound before this returns.
  server.listen(path, resolve)
  process.umask(umask)
  await promise
  server.off('error', reject)
  const close = async () => {
    await closeServer(server)
    await rm(path, { force: true })
  }
  return { port: 0, close }
}

/** Takes no more connections, and ends what is under way after a moment. */
async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), CLOSE_DEADLINE_MS)
  await closed
  clearTimeout(timer)
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there already',
  EADDRNOTAVAIL: 'this box has no such address',
  EACCES: 'ports below 1024 need root or CAP_NET_BIND_SERVICE',
  ENOTFOUND: 'that is no address and no name of one',
}

/** @param options  the ones to change, as the operator knows them. @returns one sentence */
export function whyNoPort({ host, port }: Address, options: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  return `Cannot listen on ${address} (${options}): ${REASONS[code ?? ''] ?? message}.`
}
