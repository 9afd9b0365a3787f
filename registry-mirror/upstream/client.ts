/** Asks one upstream over HTTP: authenticates, follows redirects, enforces deadlines. Caches nothing but tokens. */

import { openedLater } from '@appliance/ground/opened-later'
import { AddressRefused, type Reach } from '@appliance/ground/reach'
import { readLimited } from '@appliance/ground/read-limited'
import type { Agent, Dispatcher } from 'undici'
import type { UpstreamConfig } from '../config/config.ts'
import type { Credentials } from '../oci/secret.ts'
import {
  basicOf,
  type Challenge,
  identityOf,
  mayHaveCredentials,
  parseChallenge,
  Tokens,
  tokenIn,
  tokenUrl,
} from './auth.ts'
import { Breaker } from './breaker.ts'
import { UpstreamFailure } from './failure.ts'

const REDIRECT_LIMIT = 5
const TOKEN_LIMIT_BYTES = 256 * 1024
const BROKEN = ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']
const REDIRECTS = [301, 302, 303, 307, 308]

/** Deadlines and pauses, in milliseconds. */
export type Patience = {
  connect_ms: number
  /** From a request to the head of its answer. */
  answer_ms: number
  /** Between two chunks of a body. */
  stall_ms: number
  /** For a blob whose transfer was cut and gets no more bytes. */
  resume_ms: number
  /** For a client that can get a stale answer instead. */
  stale_ms: number
  /** Before the next request for a tag after a failure, or for content that the upstream does not have. */
  retry_ms: number
  /** Before the next request to an upstream that cannot be reached; it grows with each failure. */
  pause_ms: number
}
const PATIENCE: Patience = {
  connect_ms: 5_000,
  answer_ms: 30_000,
  stall_ms: 15_000,
  resume_ms: 60_000,
  stale_ms: 2_000,
  retry_ms: 10_000,
  pause_ms: 5_000,
}

export type ClientOptions = {
  /** Which addresses may be connected to, also by redirects and for tokens. */
  reach: Reach
  patience?: Partial<Patience>
}
export type Headers = Dispatcher.ResponseData['headers']
export type UpstreamAnswer = { status: number; headers: Headers; body: Dispatcher.ResponseData['body'] }
export type Question = {
  method: 'GET' | 'HEAD'
  /** Without the upstream's name. */
  repository: string
  /** After /v2/<repository>/, or a path from a Link header of this upstream. */
  path: string
  headers?: Readonly<Record<string, string>>
  signal: AbortSignal
  /** Default: the credentials of the repository, else those of the configuration. */
  as?: Credentials | 'as configured'
}
/** Repositories with credentials of their own; more than any box has machines. */
const SECRETS_LIMIT = 2_000

export class UpstreamClient {
  readonly config: UpstreamConfig
  /** Opens when the upstream cannot be reached. */
  readonly reach: Breaker
  /** undici is a hundred files: they are read when an upstream is first asked. */
  readonly #agent = openedLater(
    () => this.#openAgent(),
    (agent) => agent.destroy(),
  )
  readonly patience: Patience
  readonly #reach: Reach
  readonly #tokens = new Tokens()
  readonly #secrets = new Map<string, Credentials>()
  #challenge: Challenge | undefined

  constructor(config: UpstreamConfig, { reach, patience = {} }: ClientOptions) {
    this.config = config
    this.#reach = reach
    this.patience = { ...PATIENCE, ...patience }
    this.reach = new Breaker(({ kind }) => kind === 'dead' || kind === 'slow', this.patience.pause_ms)
  }

  async #openAgent(): Promise<Agent> {
    const { ca, insecure } = this.config
    const { connect_ms, answer_ms, stall_ms } = this.patience
    const { Agent, buildConnector } = await import('undici')
    const connect = buildConnector({
      ...{ lookup: this.#reach.lookup, timeout: connect_ms },
      ...(ca !== undefined && { ca }),
      ...(insecure && { rejectUnauthorized: false }),
    })
    return new Agent({
      connect: this.#reach.guard(connect),
      headersTimeout: answer_ms,
      bodyTimeout: stall_ms,
    })
  }

  /**
   * The caller reads or destroys the body of the answer.
   * @returns undefined  404
   * @throws UpstreamFailure  any other status than 2xx
   */
  ask(question: Question): Promise<UpstreamAnswer | undefined> {
    return this.reach.run(async () => this.#judge(await this.#authenticated(question), question))
  }

  /** From now on these credentials pull the repository. They stay in memory. */
  pullBy(credentials: Credentials, repository: string): void {
    if (this.#secrets.size >= SECRETS_LIMIT && !this.#secrets.has(repository)) this.#secrets.clear()
    this.#secrets.set(repository, credentials)
  }

  async close(): Promise<void> {
    await this.#agent.close()
  }

  async #authenticated(question: Question): Promise<UpstreamAnswer> {
    const known = await this.#authorization(question, this.#challenge)
    const answer = await this.#follow(question, known)
    if (answer.status !== 401) return answer
    const challenge = parseChallenge(answer.headers['www-authenticate'])
    if (challenge === undefined) return answer
    discard(answer)
    this.#tokens.forget(this.#tokenKey(question))
    this.#challenge = forAnyRepository(challenge)
    const authorization = await this.#authorization(question, challenge)
    // Without new credentials the same request would be refused again: the caller gets this answer.
    return this.#follow(question, authorization)
  }

  async #authorization(question: Question, challenge: Challenge | undefined): Promise<string | undefined> {
    const credentials = this.#credentialsFor(question)
    if (challenge === undefined) return undefined
    if (challenge.scheme === 'basic') return credentials && basicOf(credentials)
    return this.#tokens.get(this.#tokenKey(question)) ?? this.#fetchToken(question, challenge)
  }

  #credentialsFor({ repository, as }: Question): Credentials | undefined {
    if (as === 'as configured') return this.config.credentials
    return as ?? this.#secrets.get(repository) ?? this.config.credentials
  }
  #tokenKey = (question: Question) => `${scopeOf(question)} ${identityOf(this.#credentialsFor(question))}`

  async #fetchToken(question: Question, challenge: Extract<Challenge, { scheme: 'bearer' }>): Promise<string> {
    const { name, insecure } = this.config
    const credentials = this.#credentialsFor(question)
    const url = tokenUrl(challenge, scopeOf(question))
    if (url.protocol !== 'https:' && !insecure)
      throw new UpstreamFailure('lying', `Upstream ${name} wants its tokens to be had from ${url.origin}, without TLS.`)
    if (credentials && !mayHaveCredentials(url, this.config))
      throw new UpstreamFailure(
        'lying',
        `Upstream ${name} wants its credentials to be given to ${url.hostname}, which is not its own host. ` +
          `When that is right, set token_hosts = ${url.hostname} in [upstream:${name}].`,
      )
    const headers: Record<string, string> = credentials ? { authorization: basicOf(credentials) } : {}
    const answer = await this.#send(url, { method: 'GET', headers, signal: question.signal })
    const text = await this.#text(answer)
    const token = answer.status === 200 ? tokenIn(text) : undefined
    if (token === undefined)
      throw new UpstreamFailure(
        answer.status === 429 ? 'limited' : answer.status >= 500 ? 'failing' : 'refused',
        `Upstream ${name} gives no token for ${question.repository}: ${url.host} answers ${answer.status}.`,
      )
    this.#tokens.keep(this.#tokenKey(question), token)
    return token.header
  }

  async #text({ body }: UpstreamAnswer): Promise<string> {
    const refusal = () => new Error(`more than ${TOKEN_LIMIT_BYTES} bytes for a token`)
    try {
      return (await readLimited(body, TOKEN_LIMIT_BYTES, refusal)).toString()
    } catch (error) {
      throw this.failureOf(error)
    }
  }

  async #follow(question: Question, authorization: string | undefined): Promise<UpstreamAnswer> {
    const { url: base, name, insecure } = this.config
    let url = urlOf(base, question)
    for (let hops = 0; hops <= REDIRECT_LIMIT; hops++) {
      const headers = {
        'accept-encoding': 'identity',
        ...question.headers,
        // Credentials of the upstream are not for the target of a redirect.
        ...(authorization !== undefined && url.origin === base.origin && { authorization }),
      }
      const answer = await this.#send(url, { method: question.method, headers, signal: question.signal })
      const location = textOf(answer.headers.location)
      if (!REDIRECTS.includes(answer.status) || location === undefined) return answer
      discard(answer)
      const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined
      if (next === undefined || !(next.protocol === 'https:' || (next.protocol === 'http:' && insecure)))
        throw new UpstreamFailure('lying', `Upstream ${name} redirects to where there is no TLS.`)
      url = next
    }
    throw new UpstreamFailure('failing', `Upstream ${name} redirects more than ${REDIRECT_LIMIT} times.`)
  }

  /** Sends the request again when the connection breaks before any answer: the upstream may have closed an idle one. */
  async #send(url: URL, options: Pick<Question, 'method' | 'signal' | 'headers'>): Promise<UpstreamAnswer> {
    const { request } = await import('undici')
    const dispatcher = await this.#agent.get()
    for (let attempt = 1; ; attempt++) {
      try {
        const { statusCode, headers, body } = await request(url, { ...options, dispatcher })
        return { status: statusCode, headers, body }
      } catch (error) {
        if (attempt > 1 || !BROKEN.includes((error as NodeJS.ErrnoException).code ?? '')) throw this.failureOf(error)
      }
    }
  }

  /** Turns the error of a request, or of reading its body, into the operator's words. */
  failureOf(error: unknown): UpstreamFailure {
    if (error instanceof UpstreamFailure) return error
    const { name } = this.config
    if (error instanceof AddressRefused)
      return new UpstreamFailure('forbidden', `Upstream ${name} is not asked: ${error.message}.`, { cause: error })
    const { code, message, name: errorName } = error as NodeJS.ErrnoException
    const { connect_ms, answer_ms, stall_ms } = this.patience
    const slow: Readonly<Record<string, string>> = {
      UND_ERR_CONNECT_TIMEOUT: `takes no connection within ${connect_ms / 1000} s`,
      UND_ERR_HEADERS_TIMEOUT: `does not answer within ${answer_ms / 1000} s`,
      UND_ERR_BODY_TIMEOUT: `has sent nothing for ${stall_ms / 1000} s`,
    }
    const told = slow[code ?? ''] ?? (errorName === 'TimeoutError' ? 'does not answer in time' : undefined)
    if (told !== undefined) return new UpstreamFailure('slow', `Upstream ${name} ${told}.`, { cause: error })
    // A refused connection to several addresses has a code and no message.
    return new UpstreamFailure('dead', `Upstream ${name} cannot be reached: ${message || code}.`, { cause: error })
  }

  #judge(answer: UpstreamAnswer, { method, repository }: Question): UpstreamAnswer | undefined {
    const { status, headers } = answer
    if (status >= 200 && status < 300) return answer
    discard(answer)
    const { name } = this.config
    if (status === 404) return undefined
    const said = `Upstream ${name} answers ${method} for ${repository} with ${status}`
    if (status === 429) throw new UpstreamFailure('limited', `${said}: too many requests.`, retryAfterOf(headers))
    if (status === 401 || status === 403)
      throw new UpstreamFailure('refused', `${said}: see username and password of [upstream:${name}].`)
    throw new UpstreamFailure('failing', `${said}.`, { status })
  }
}

/** Length of the body, by the head of its answer. */
export function lengthOf(headers: Headers): number | undefined {
  const text = textOf(headers['content-length'])
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

/** The challenge for later requests: without the repository of this one. */
function forAnyRepository(challenge: Challenge): Challenge {
  if (challenge.scheme !== 'bearer' || !challenge.scope?.startsWith('repository:')) return challenge
  const { scope: _, ...others } = challenge
  return others
}

export const textOf = (header: string | string[] | undefined) => (Array.isArray(header) ? header[0] : header)
const scopeOf = ({ repository }: Question) => `repository:${repository}:pull`

function urlOf(base: URL, { repository, path }: Question): URL {
  return new URL(path.startsWith('/v2/') ? path : `/v2/${repository}/${path}`, base)
}

function retryAfterOf(headers: Headers): { retry_after_s?: number } {
  const text = textOf(headers['retry-after'])
  return text !== undefined && /^\d{1,6}$/.test(text) ? { retry_after_s: Number(text) } : {}
}

/** Frees the connection; after a short body it stays usable. */
export function discard({ body }: UpstreamAnswer): void {
  body.dump({ limit: 16 * 1024 }).catch(() => {
    // Nobody wants the rest of the body.
  })
}
