/** The registry's own socket: opens it, and closes it within a deadline whatever its clients do. */
import type { RequestListener } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { Certificate, followed } from '@appliance/ground/certificate'
import type { ConnectionLimits } from '@appliance/ground/connection-limits'
import { createServer } from '@appliance/ground/http'
import { type Listening, listen as listenOn, whyNoPort } from '@appliance/ground/listen'
import type { RegistryConfig, RegistryLog } from '../config/config.ts'
import { RegistryError } from '../oci/errors.ts'

const HEADERS_TIMEOUT_MS = 10_000
/** Node looks for connections over their time each 30 s when it is not told. */
const CHECK_EVERY_MS = 5_000
/** Longest silence of a connection; a whole body may take any time. */
const IDLE_TIMEOUT_MS = 120_000

/** @returns undefined  none is configured. @throws RegistryError  it cannot be used */
export const openCertificate = (
  { cert_file, key_file }: Pick<RegistryConfig, 'cert_file' | 'key_file'>,
  log: RegistryLog,
): Certificate | undefined =>
  Certificate.open(
    { cert_file, key_file, section: 'registry', fail: (text, options) => new RegistryError(text, options) },
    log,
  )

/** @throws RegistryError  in the operator's words */
export async function listen(
  listener: RequestListener,
  { host_ip, port, limits }: { host_ip: string; port: number; limits?: ConnectionLimits },
  certificate?: Certificate,
): Promise<Listening> {
  const options = {
    connectionsCheckingInterval: CHECK_EVERY_MS,
    requestTimeout: 0,
    headersTimeout: HEADERS_TIMEOUT_MS,
    handshakeTimeout: HEADERS_TIMEOUT_MS,
    noDelay: true,
  }
  const server = certificate
    ? createSecureServer({ ...options, ...certificate.current, minVersion: 'TLSv1.2' }, listener)
    : createServer(options, listener)
  server.timeout = IDLE_TIMEOUT_MS
  const address = { host: host_ip, port, limits }
  const listening = await listenOn(server, address).catch((cause: unknown) => {
    throw new RegistryError(whyNoPort(address, '[registry] host_ip and port', cause), { cause })
  })
  return certificate && 'setSecureContext' in server ? followed(listening, server, certificate) : listening
}
