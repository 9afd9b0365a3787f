/** Asks image servers: redirects with a limit, deadlines, certificates. Knows nothing of files. */

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { codeOf } from '@appliance/ground/errno'
import { openedLater } from '@appliance/ground/opened-later'
import { AddressRefused, type Reach } from '@appliance/ground/reach'
import type { Dispatcher } from 'undici'
import { ImageUnacceptable, InvalidParameterValue, messageOf } from '../../errors.ts'
import { shownUrl } from './image-source.ts'

type Question = {
  method: 'GET' | 'HEAD'
  headers?: Record<string, string>
  /** Value of the Authorization header; only for the server that image_source names. */
  authorization?: string | undefined
  signal: AbortSignal
}
/** `url`: where the redirects led to. The body must be read, or destroyed. */
export type Answer = {
  status: number
  headers: Dispatcher.ResponseData['headers']
  body: Dispatcher.ResponseData['body']
  url: URL
}
export type Upstream = {
  timeout_s: number
  /** @throws Unanswered, ImageUnacceptable */
  ask(url: URL, question: Question): Promise<Answer>
  /** A small text. @throws ImageUnacceptable */
  text(url: URL, question: Question, limit_bytes: number): Promise<string>
  close(): Promise<void>
}

/** Below HTTP: no connection, cut, silence, or a 5xx. Another try may help. */
export class Unanswered extends ImageUnacceptable {}

const REDIRECTS_LIMIT = 10
const REDIRECTS = [301, 302, 303, 307, 308]
const TRIES = 3
const PAUSE_MS = 500

export type UpstreamOptions = {
  /** [DEFAULT] webserver_verify_ca: True, False, or a file or folder of certificates. */
  verify_ca: string
  /** [DEFAULT] webserver_connection_timeout. */
  timeout_s: number
  reach: Reach
}

export function createUpstream({ verify_ca, timeout_s, reach }: UpstreamOptions): Upstream {
  const timeout_ms = timeout_s * 1000
  const connecting = { ...trustOf(verify_ca), timeout: timeout_ms, lookup: reach.lookup }
  // undici is a hundred files: they are read when a server is first asked.
  const agent = openedLater(
    async () => {
      const { Agent, buildConnector } = await import('undici')
      const connect = reach.guard(buildConnector(connecting))
      return new Agent({ connect, headersTimeout: timeout_ms, bodyTimeout: timeout_ms, keepAliveTimeout: 1_000 })
    },
    (opened) => opened.destroy(),
  )

  async function once(url: URL, { method, headers, authorization, signal }: Question): Promise<Answer> {
    const bare = new URL(url)
    bare.username = bare.password = ''
    const { request } = await import('undici')
    const dispatcher = await agent.get()
    try {
      const response = await request(bare, {
        method,
        headers: {
          accept: '*/*',
          'accept-encoding': 'identity',
          'user-agent': 'rackstrap',
          ...headers,
          ...(authorization ? { authorization } : {}),
        },
        dispatcher,
        signal,
      })
      return { status: response.statusCode, headers: response.headers, body: response.body, url }
    } catch (error) {
      signal.throwIfAborted()
      // Nor would another try be let there.
      const Failure = error instanceof AddressRefused ? ImageUnacceptable : Unanswered
      throw new Failure(`Image ${shownUrl(url)} cannot be fetched: ${reasonOf(error, timeout_s)}. ${NEXT}`, {
        cause: error,
      })
    }
  }

  async function follow(from: URL, question: Question): Promise<Answer> {
    let url = from
    for (let redirects = 0; redirects <= REDIRECTS_LIMIT; redirects++) {
      const authorization = credentialsFor(url, from, question.authorization)
      const answer = await once(url, { ...question, authorization })
      if (!REDIRECTS.includes(answer.status)) return answer
      discard(answer)
      url = redirectOf(answer, from)
    }
    throw new ImageUnacceptable(
      `Image ${shownUrl(from)} cannot be fetched: its server redirected ${REDIRECTS_LIMIT + 1} times, last to ${shownUrl(url)}. Correct image_source, or the server.`,
    )
  }

  async function ask(url: URL, question: Question): Promise<Answer> {
    for (let tries = 1; ; tries++) {
      try {
        const answer = await follow(url, question)
        if (answer.status < 500 || answer.status === 501) return answer
        discard(answer)
        throw new Unanswered(
          `Image ${shownUrl(url)} cannot be fetched: ${statusText(answer.status, question.method)}. ${NEXT}`,
        )
      } catch (error) {
        if (!(error instanceof Unanswered) || tries >= TRIES || isSilence(error)) throw error
      }
      await pause(PAUSE_MS * tries, undefined, { signal: question.signal })
    }
  }

  return {
    timeout_s,
    ask,
    async text(url, question, limit_bytes) {
      const answer = await ask(url, question)
      if (answer.status !== 200) {
        discard(answer)
        throw new ImageUnacceptable(
          `${shownUrl(url)} cannot be fetched: ${statusText(answer.status, question.method)}. ${NEXT}`,
        )
      }
      return readText(answer, { limit_bytes, timeout_s }, question.signal)
    },
    close: () => agent.close(),
  }
}

type TextLimits = { limit_bytes: number; timeout_s: number }
const NEXT = 'Check the server, and image_source.'

export const statusText = (status: number, method: string) =>
  `Got HTTP code ${status} instead of 200 in response to ${method} request`

/** Its body is not wanted. */
export function discard(answer: Answer): void {
  answer.body.on('error', () => {
    // Destroying a body that still comes is an error to undici, not to us.
  })
  answer.body.destroy()
}

async function readText(answer: Answer, { limit_bytes, timeout_s }: TextLimits, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of answer.body) {
      bytes += (chunk as Buffer).length
      if (bytes > limit_bytes) break
      chunks.push(chunk as Buffer)
    }
  } catch (error) {
    signal.throwIfAborted()
    throw new Unanswered(`${shownUrl(answer.url)} cannot be read: ${reasonOf(error, timeout_s)}. ${NEXT}`, {
      cause: error,
    })
  }
  if (bytes > limit_bytes)
    throw new ImageUnacceptable(
      `${shownUrl(answer.url)} has more than ${limit_bytes} bytes: expected a file of checksums. Correct image_checksum or image_os_hash_value.`,
    )
  return Buffer.concat(chunks).toString('utf8')
}

function redirectOf(answer: Answer, from: URL): URL {
  const location = answer.headers.location
  const target =
    typeof location === 'string' && URL.canParse(location, answer.url.href) ? new URL(location, answer.url) : undefined
  if (target && /^https?:$/.test(target.protocol)) return target
  throw new ImageUnacceptable(
    `Image ${shownUrl(from)} cannot be fetched: its server redirects to something that is not an http(s) address. Correct image_source, or the server.`,
  )
}

/** Only the server that image_source names gets the credentials given for it, no matter where it sends us. */
export function credentialsFor(target: URL, from: URL, authorization: string | undefined): string | undefined {
  return target.origin === from.origin ? (authorization ?? basicOf(from)) : undefined
}

/** "user:password@" in an address. */
function basicOf({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined
  return `Basic ${Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64')}`
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // A broken escape is taken as it stands.
    return text
  }
}

/** To have waited once for a silent server is enough. */
const isSilence = (error: Unanswered) => isTimeout(error.cause)
const isTimeout = (error: unknown) => String(codeOf(error)).endsWith('TIMEOUT')

export function reasonOf(error: unknown, timeout_s: number): string {
  const cause = error instanceof AggregateError ? error.errors[0] : error
  if (isTimeout(cause)) {
    return `its server was silent for ${timeout_s} s ([DEFAULT] webserver_connection_timeout)`
  }
  return messageOf(cause) || codeOf(cause) || 'the connection broke'
}

/** @throws InvalidParameterValue  neither a boolean nor readable certificates */
function trustOf(verify_ca: string): { ca?: string[]; rejectUnauthorized?: boolean } {
  if (/^(true|yes|on|1)$/i.test(verify_ca)) return {}
  if (/^(false|no|off|0)$/i.test(verify_ca)) return { rejectUnauthorized: false }
  if (!existsSync(verify_ca)) {
    throw new InvalidParameterValue(
      `[DEFAULT] webserver_verify_ca is '${verify_ca}': expected True, False, or a file or folder of CA certificates (PEM).`,
    )
  }
  const files = statSync(verify_ca).isFile()
    ? [verify_ca]
    : readdirSync(verify_ca)
        .filter((name) => /\.(pem|crt)$/.test(name))
        .map((name) => join(verify_ca, name))
  return { ca: files.map((file) => readFileSync(file, 'utf8')) }
}
