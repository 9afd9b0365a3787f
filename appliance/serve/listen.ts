/** The API's socket: opens it, and closes it within a deadline whatever its clients do. */
import { createServer } from '@appliance/ground/http'
import { type Address, type Listening, listen as listenOn, whyNoPort } from '@appliance/ground/listen'
import { ApplianceError } from '../errors.ts'
import { type Fetch, fetchListener } from './fetch-listener.ts'

const HEADERS_TIMEOUT_MS = 10_000
/** Enough for the slowest body of the largest size. An answer may take longer: some ask a BMC. */
const REQUEST_TIMEOUT_MS = 60_000

/** @throws ApplianceError  in the operator's words */
export async function listen(fetch: Fetch, address: Address): Promise<Listening> {
  const { host } = address
  // HTTP/1.0 has no Host header: the address stands for it.
  const hostname = host.includes(':') ? `[${host}]` : host
  const server = createServer(fetchListener(fetch, hostname))
  server.headersTimeout = HEADERS_TIMEOUT_MS
  server.requestTimeout = REQUEST_TIMEOUT_MS
  return listenOn(server, address).catch((error: unknown) => {
    throw cannotListen(address, '[api] host_ip and port', error)
  })
}

/** @param options  the ones to change, as the operator knows them */
export const cannotListen = (address: Address, options: string, cause: unknown): ApplianceError =>
  new ApplianceError(whyNoPort(address, options, cause), { cause })
