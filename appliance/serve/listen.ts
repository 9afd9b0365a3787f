/** The API's sockets: opens them, and closes them within a deadline whatever their clients do. */
import type { RequestListener, Server } from 'node:http'
import type { Server as SecureServer } from 'node:https'
import { type Certificate, followed } from '@appliance/ground/certificate'
import { createServer } from '@appliance/ground/http'
import { type Address, type Listening, listen as listenOn, listenOnPath, whyNoPort } from '@appliance/ground/listen'
import { ApplianceError } from '../errors.ts'
import { type Fetch, fetchListener } from './fetch-listener.ts'

const HEADERS_TIMEOUT_MS = 10_000
/** Node looks for connections over their time each 30 s when it is not told. */
const CHECK_EVERY_MS = 5_000
/** Enough for the slowest body of the largest size. An answer may take longer: some ask a BMC. */
const REQUEST_TIMEOUT_MS = 60_000

/** With one, the socket speaks https. */
export type Tls = { certificate: Certificate; client_ca?: string }

/** @throws ApplianceError  in the operator's words */
export async function listen(fetch: Fetch, address: Address, tls?: Tls): Promise<Listening> {
  const { host } = address
  // HTTP/1.0 has no Host header: the address stands for it.
  const hostname = host.includes(':') ? `[${host}]` : host
  const server = await serverFor(fetchListener(fetch, hostname), tls)
  const listening = await listenOn(server, address).catch((error: unknown) => {
    throw cannotListen(address, '[api] host_ip and port', error)
  })
  return tls && 'setSecureContext' in server
    ? followed(listening, server, tls.certificate, { ca: tls.client_ca })
    : listening
}

/** The same for the account of this process alone. @throws the error of listen(2) */
export const listenOnSocket = async (fetch: Fetch, path: string): Promise<Listening> =>
  listenOnPath(await serverFor(fetchListener(fetch, 'localhost')), path)

async function serverFor(listener: RequestListener, tls?: Tls): Promise<Server | SecureServer> {
  const limits = {
    connectionsCheckingInterval: CHECK_EVERY_MS,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
  }
  if (tls === undefined) return createServer(limits, listener)
  const { createServer: createSecureServer } = await import('node:https')
  const client = tls.client_ca === undefined ? {} : { ca: tls.client_ca, requestCert: true, rejectUnauthorized: true }
  return createSecureServer(
    { ...limits, handshakeTimeout: HEADERS_TIMEOUT_MS, ...tls.certificate.current, ...client, minVersion: 'TLSv1.2' },
    listener,
  )
}

/** @param options  the ones to change, as the operator knows them */
export const cannotListen = (address: Address, options: string, cause: unknown): ApplianceError =>
  new ApplianceError(whyNoPort(address, options, cause), { cause })
