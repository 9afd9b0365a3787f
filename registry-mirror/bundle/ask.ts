/**
 * One HTTP request to a registry, its body and its answer as streams; every silence has a deadline. Knows no
 * endpoint.
 */

import { once } from 'node:events'
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { request } from '@appliance/ground/http'
import { parseJson } from '@appliance/ground/json-meter'
import { readLimited } from '@appliance/ground/read-limited'
import { BundleError } from './format.ts'

/** Where a registry listens. */
export type Address = { socketPath: string } | { host: string; port: number }
export type Ask = { headers?: Record<string, string>; body?: Uint8Array | AsyncIterable<Uint8Array> }
export type Answer = { status: number; headers: IncomingHttpHeaders; body: IncomingMessage }

const SILENCE_MS = 120_000
/** The registry is silent while its disk takes a large blob, which may take minutes. */
const UPLOAD_SILENCE_MS = 30 * 60_000
const REFUSAL_LIMIT_BYTES = 64 * 1024

/** @param what  method and path, e.g. 'GET /v2/' @throws BundleError, and what the body throws */
export async function ask(address: Address, what: string, { headers = {}, body }: Ask = {}): Promise<Answer> {
  const [method, path] = what.split(' ')
  const timeout = body === undefined ? SILENCE_MS : UPLOAD_SILENCE_MS
  const asked = request({ ...address, method, path, headers, timeout })
  asked.on('timeout', () => asked.destroy(new Error(`nothing came for ${timeout / 1000} s`)))
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    asked.once('response', resolve)
    asked.on('error', reject)
  })
  // The request may fail before anybody waits for it; the caller gets the error all the same.
  answered.catch(() => {})
  try {
    await send(asked, body, answered)
  } catch (error) {
    asked.destroy()
    throw error
  }
  const response = await answered.catch((error: Error) => {
    throw new BundleError(`The registry does not answer ${what}: ${error.message}.`, { cause: error })
  })
  return { status: response.statusCode ?? 0, headers: response.headers, body: response }
}

/** Stops sending when the answer comes early: it is a refusal. */
async function send(asked: ClientRequest, body: Ask['body'], answered: Promise<unknown>): Promise<void> {
  if (body === undefined || body instanceof Uint8Array) {
    asked.end(body)
    return
  }
  let isOver = false
  const over = answered.then(
    () => {
      isOver = true
    },
    () => {
      isOver = true
    },
  )
  for await (const chunk of body) {
    if (!isOver && !asked.write(chunk)) await Promise.race([once(asked, 'drain').catch(() => {}), over])
    if (isOver) return
  }
  asked.end()
}

/** A body that nobody reads must not occupy its connection. */
export function discard({ body }: Answer): undefined {
  body.on('error', () => {})
  body.resume()
  return undefined
}

/** @throws BundleError  more than that */
export const readAll = (body: AsyncIterable<Uint8Array>, limit_bytes: number): Promise<Buffer> =>
  readLimited(body, limit_bytes, () => new BundleError(`More than ${limit_bytes} bytes came where fewer are expected.`))

/** The registry's own message, if there is one. */
export async function refusalOf(answer: Answer, what: string): Promise<BundleError> {
  const text = await readAll(answer.body, REFUSAL_LIMIT_BYTES).then(String, () => '')
  return new BundleError(`The registry answers ${what} with ${answer.status}: ${messageIn(text) ?? 'no reason told'}`)
}

function messageIn(text: string): string | undefined {
  try {
    const { errors } = parseJson(text) as { errors?: { message?: string }[] }
    return errors?.[0]?.message
  } catch {
    // The body is no JSON: the status says enough.
    return undefined
  }
}
