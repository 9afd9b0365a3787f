/** HTTP requests with built-ins only: one connection each, a deadline, a limit on what is read. */
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { SecureVersion } from 'node:tls'

export type TlsOptions = { insecure: boolean; minVersion: SecureVersion }
export type HttpRequest = {
  method: 'GET' | 'HEAD' | 'POST'
  headers?: Record<string, string>
  body?: string
  /** Without any byte from the other side. */
  timeout_s: number
  tls: TlsOptions
  signal?: AbortSignal
}
export type Exchange = {
  status: number
  headers: IncomingHttpHeaders
  text: string
  /** The address from which this machine reaches the server. */
  localAddress: string
}

const ANSWER_LIMIT_BYTES = 8 * 1024 * 1024
const REDIRECTS_LIMIT = 5

/** What another attempt will not change. */
export class Refused extends Error {}

/**
 * Resolves when the head of the answer is there; the body is still to be read.
 * @throws the system's error, or a timeout in words
 */
function openRequest(url: URL, options: HttpRequest): Promise<IncomingMessage> {
  const { method, headers, body, timeout_s, tls, signal } = options
  const requestOptions: RequestOptions & TlsOptions & { rejectUnauthorized: boolean } = {
    method,
    agent: false,
    timeout: timeout_s * 1000,
    ...tls,
    rejectUnauthorized: !tls.insecure,
    headers: { ...headers, ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }) },
    ...(signal ? { signal } : {}),
  }
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest
    let answer: IncomingMessage | undefined
    const outgoing = send(url, requestOptions, (response) => {
      answer = response
      resolve(response)
    })
    outgoing.on('timeout', () => {
      // After the head it is an error of the stream.
      if (answer) answer.destroy(new Error(`nothing came for ${timeout_s} s`))
      else outgoing.destroy(new Error(`no answer within ${timeout_s} s`))
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

/**
 * As `openRequest`, and goes where a redirect leads; the Authorization header stays with the server it was meant for.
 */
export async function openFollowing(url: URL, options: HttpRequest): Promise<IncomingMessage> {
  let [at, headers] = [url, options.headers]
  for (let hops = 0; hops <= REDIRECTS_LIMIT; hops++) {
    const response = await openRequest(at, { ...options, ...(headers ? { headers } : {}) })
    const status = response.statusCode ?? 0
    const { location } = response.headers
    if (![301, 302, 303, 307, 308].includes(status) || location === undefined) return response
    response.destroy()
    const next = URL.canParse(location, at.href) ? new URL(location, at) : undefined
    if (!next || !/^https?:$/.test(next.protocol)) {
      throw new Refused(`it redirects to '${location.slice(0, 100)}', which is no http address`)
    }
    if (next.origin !== at.origin) {
      headers = Object.fromEntries(Object.entries(headers ?? {}).filter(([name]) => name !== 'authorization'))
    }
    at = next
  }
  throw new Refused(`it redirects more than ${REDIRECTS_LIMIT} times`)
}

/** For people to read: without a password, and without a query, which may hold a signature. */
export function shownUrl(url: string): string {
  if (!URL.canParse(url)) return url.slice(0, 100)
  const { protocol, host, pathname, search } = new URL(url)
  return `${protocol}//${host}${pathname === '/' ? '' : pathname}${search ? '?...' : ''}`
}

/** The whole exchange, for answers of some KiB. */
export async function exchange(url: URL, options: HttpRequest): Promise<Exchange> {
  const deadline = AbortSignal.timeout(options.timeout_s * 1000)
  const signal = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline
  try {
    const response = await openRequest(url, { ...options, signal })
    const localAddress = plainAddress(response.socket.localAddress ?? '')
    const text = (await readLimited(response, ANSWER_LIMIT_BYTES)).toString('utf8')
    return { status: response.statusCode ?? 0, headers: response.headers, text, localAddress }
  } catch (error) {
    if (deadline.aborted && !options.signal?.aborted)
      throw new Error(`no answer within ${options.timeout_s} s`, { cause: error })
    throw error
  }
}

export class TooLarge extends Error {
  constructor(limit_bytes: number) {
    super(`it is larger than ${limit_bytes} bytes`)
  }
}

/** @throws TooLarge */
export async function readLimited(response: IncomingMessage, limit_bytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size_bytes = 0
  for await (const chunk of response) {
    size_bytes += (chunk as Buffer).length
    if (size_bytes > limit_bytes) throw new TooLarge(limit_bytes)
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}

/** ::ffff:192.0.2.1 is how a socket of both families names an IPv4 address. */
const plainAddress = (address: string) => address.replace(/^::ffff:(?=\d+\.)/, '')
/** For use in a URL. */
export const hostOf = (address: string) => (address.includes(':') ? `[${address}]` : address)
