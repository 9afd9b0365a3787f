/**
 * One HTTP exchange with one BMC: bounded in bytes and time, on a connection of its own. Follows nothing, repeats
 * nothing, and knows nothing of accounts.
 */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { parseJson } from '@appliance/ground/json-meter'
import { openedLater } from '@appliance/ground/opened-later'
import type { Reach } from '@appliance/ground/reach'
import { readLimited } from '@appliance/ground/read-limited'
import type { Agent, Dispatcher } from 'undici'
import { InvalidParameterValue, messageOf } from '../../errors.ts'
import type { RedfishAccess } from './access.ts'
import { bmcOf, connectionFailure, RedfishFailure } from './failure.ts'

export type Method = 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
type Request = {
  method: Method
  url: URL
  headers: Readonly<Record<string, string>>
  body?: unknown
  signal: AbortSignal
}
/** `body`: parsed; undefined when there is none, and when it is no JSON. */
export type Answer = {
  status: number
  url: URL
  body: unknown
  /** Of the body, unpacked. */
  size_bytes: number
  etag: string | undefined
  location: string | undefined
  token: string | undefined
  retry_after_s: number | undefined
}
export type Wire = {
  /** @throws RedfishFailure */
  exchange(request: Request): Promise<Answer>
  close(): Promise<void>
}
export type WireOptions = { reach: Reach; connect_timeout_s: number; read_timeout_s: number }

/** Registries of BIOS attributes have two or three MB. */
const ANSWER_LIMIT_BYTES = 16 * 1024 * 1024
/** As many take JSON.parse some 40 ms. */
const VALUES_LIMIT = 300_000
const CA_LIMIT_BYTES = 1024 * 1024
/** A BMC is small; whoever asks more at once waits here. */
const CONNECTIONS = 4

export function createWire(access: RedfishAccess, options: WireOptions): Wire {
  const { reach, connect_timeout_s, read_timeout_s } = options
  // undici is a hundred files: they are read when a BMC is first asked.
  const agent = openedLater(
    async () => {
      const { Agent, buildConnector } = await import('undici')
      const connect = buildConnector({
        ...(await trustOf(access)),
        ...tlsOf(access),
        allowH2: false,
        lookup: reach.lookup,
        timeout: connect_timeout_s * 1000,
      })
      return new Agent({ connect: reach.guard(connect), connections: CONNECTIONS, allowH2: false })
    },
    (opened: Agent) => opened.destroy(),
  )

  async function exchange({ method, url, headers, body, signal }: Request): Promise<Answer> {
    const dispatcher = await agent.get()
    const { request } = await import('undici')
    const limit = AbortSignal.any([signal, AbortSignal.timeout((connect_timeout_s + read_timeout_s) * 1000)])
    try {
      const response = await request(url, {
        method,
        headers: {
          accept: 'application/json',
          'accept-encoding': 'identity',
          'odata-version': '4.0',
          'user-agent': 'rackstrap',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        body: body === undefined ? null : JSON.stringify(body),
        dispatcher,
        // Some BMCs choke on connections that stay. @source sushy connector.py
        reset: true,
        headersTimeout: read_timeout_s * 1000,
        bodyTimeout: read_timeout_s * 1000,
        signal: limit,
      })
      const refusal = () => new RedfishFailure(`${bmcOf(access)} answered more than ${ANSWER_LIMIT_BYTES} bytes.`)
      return await answerOf(url, response, await readLimited(response.body, ANSWER_LIMIT_BYTES, refusal))
    } catch (error) {
      if (error instanceof RedfishFailure) throw error
      signal.throwIfAborted()
      throw connectionFailure(access, error, read_timeout_s)
    }
  }
  return { exchange, close: () => agent.close() }
}

async function answerOf(url: URL, { statusCode, headers }: Dispatcher.ResponseData, bytes: Buffer): Promise<Answer> {
  const header = (name: string) => {
    const value = headers[name]
    return (Array.isArray(value) ? value[0] : value) || undefined
  }
  const plain = header('content-encoding') === 'gzip' ? await unpacked(bytes) : bytes
  return {
    status: statusCode,
    url,
    body: bodyIn(plain),
    size_bytes: plain.length,
    etag: header('etag'),
    location: header('location'),
    token: header('x-auth-token'),
    retry_after_s: secondsUntil(header('retry-after')),
  }
}

const unpack = promisify(gunzip)

async function unpacked(bytes: Buffer): Promise<Buffer> {
  try {
    return await unpack(bytes, { maxOutputLength: ANSWER_LIMIT_BYTES })
  } catch {
    // Broken, or a bomb: as good as no body.
    return Buffer.alloc(0)
  }
}

/** Something else than JSON is as good as nothing: the caller misses the members that it looks for. */
function bodyIn(bytes: Buffer): unknown {
  try {
    return bytes.length === 0 ? undefined : parseJson(bytes, { values: VALUES_LIMIT })
  } catch {
    // What it was is not said to anybody: it may be anything.
    return undefined
  }
}

/** RFC 9110 section 10.2.3: seconds, or a date. */
function secondsUntil(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const seconds = /^\d{1,9}$/.test(text.trim()) ? Number(text) : (Date.parse(text) - Date.now()) / 1000
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined
}

const tlsOf = ({ tls_minimum_version, tls_ciphers }: RedfishAccess) => ({
  ...(tls_minimum_version && { minVersion: `TLSv${tls_minimum_version}` as const }),
  // OpenSSL speaks TLS 1.1 at its level 0 alone.
  ...(tls_ciphers ? { ciphers: tls_ciphers } : tls_minimum_version === '1.1' ? { ciphers: 'DEFAULT@SECLEVEL=0' } : {}),
})

/** @throws InvalidParameterValue  neither a file nor a folder of certificates */
async function trustOf({ verify_ca, node }: RedfishAccess): Promise<{ ca?: string[]; rejectUnauthorized?: boolean }> {
  if (typeof verify_ca === 'boolean') return verify_ca ? {} : { rejectUnauthorized: false }
  try {
    const isFolder = (await stat(verify_ca)).isDirectory()
    const names = isFolder ? (await readdir(verify_ca)).filter((name) => /\.(?:pem|crt|cer)$/.test(name)) : ['']
    const files = names.map((name) => join(verify_ca, name))
    return { ca: await Promise.all(files.map(readCertificates)) }
  } catch (cause) {
    throw new InvalidParameterValue(
      `Invalid value type set in driver_info/redfish_verify_ca on node ${node}. ` +
        `The value should be a Boolean or the path to a file/directory, not "${verify_ca}" (${messageOf(cause)})`,
      { cause },
    )
  }
}

async function readCertificates(file: string): Promise<string> {
  const found = await stat(file)
  if (!found.isFile() || found.size > CA_LIMIT_BYTES) throw new Error(`${file} is no file of certificates`)
  return readFile(file, 'utf8')
}
