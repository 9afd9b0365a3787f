/**
 * Asks one BMC, as often as it takes and no more: tries, pauses, sessions that are over, redirects, tags of changes,
 * tasks. Knows the protocol, and none of its resources.
 * @source sushy connector.py; DSP0266
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Log } from '../../log.ts'
import type { Json } from '../../plugin-api/index.ts'
import type { RedfishAccess } from './access.ts'
import { createCredentials } from './credentials.ts'
import { bmcOf, RedfishFailure, refusal } from './failure.ts'
import { isTable, textAt } from './members.ts'
import { here } from './place.ts'
import { type Answer, createWire, type Method, type WireOptions } from './wire.ts'

/** A resource as the BMC told it. */
export type Resource = { path: string; body: Json; size_bytes: number; etag: string | undefined }

export type Client = {
  access: RedfishAccess
  /** Path of the only system, when that was found out. */
  only_system: string | undefined
  /** @param link  as it stood in another resource @throws RedfishFailure */
  get(link: string, signal: AbortSignal): Promise<Resource>
  /** The service root; read once. */
  root(signal: AbortSignal): Promise<Resource>
  /** With its tag, where the BMC has one. @throws RedfishFailure */
  patch(resource: Resource, change: Json, signal: AbortSignal): Promise<Answer>
  /** @throws RedfishFailure */
  send(method: 'POST' | 'PUT' | 'DELETE', link: string, body: Json | undefined, signal: AbortSignal): Promise<Answer>
  /** As `get`, for what is no resource: a task monitor. */
  ask(link: string, signal: AbortSignal): Promise<Answer>
  /** Closes the session, too. */
  close(signal: AbortSignal): Promise<void>
}
type ClientOptions = WireOptions & {
  log: Log
  connection_attempts: number
  connection_retry_interval_s: number
}
type Question = {
  method: Method
  link: string
  body?: unknown
  headers?: Readonly<Record<string, string>>
  /** An answer without a body will do. */
  mayBeEmpty?: boolean
  signal: AbortSignal
}

const REDIRECTS_LIMIT = 3
/** What is changed is not sent elsewhere unless the BMC says that it stays the same request. RFC 9110 section 15.4. */
const redirectsOf = (method: Method) => (method === 'GET' ? [301, 302, 307, 308] : [307, 308])
const LONGEST_PAUSE_S = 30
/** Paths that were there once. A BMC that starts may say for a moment that they are not. */
const SEEN_LIMIT = 500

export function createClient(access: RedfishAccess, options: ClientOptions): Client {
  const { log, connection_attempts, connection_retry_interval_s } = options
  const wire = createWire(access, options)
  const seen = new Set<string>()
  let known: Resource | undefined
  const credentials = createCredentials(access, wire, async (signal) => (await bareRoot(signal)).body)

  /** Everybody may read the root: without an account the place of its sessions is found. */
  async function bareRoot(signal: AbortSignal): Promise<Resource> {
    const question = { method: 'GET', link: access.root, signal } as const
    known ??= resourceIn(await insist(question, () => follow(question, {})))
    return known
  }

  async function root(signal: AbortSignal): Promise<Resource> {
    try {
      return await bareRoot(signal)
    } catch (error) {
      if (!(error instanceof RedfishFailure) || (error.status !== 401 && error.status !== 403)) throw error
      known = resourceIn(await ask({ method: 'GET', link: access.root, signal }))
      return known
    }
  }

  async function once(question: Question): Promise<Answer> {
    const headers = await credentials.headers(question.signal)
    const answer = await follow(question, headers)
    if (answer.status !== 401 && answer.status !== 403) return answer
    const others = await credentials.renew(headers, question.signal)
    return others ? follow(question, others) : answer
  }

  /** @throws RedfishFailure  also for an answer that is an error */
  async function follow(question: Question, proof: Readonly<Record<string, string>>): Promise<Answer> {
    const { method, link, body, signal } = question
    let url = here(access, link)
    for (let redirects = 0; ; redirects++) {
      const answer = await wire.exchange({ method, url, headers: { ...question.headers, ...proof }, body, signal })
      if (!redirectsOf(method).includes(answer.status) || answer.location === undefined) return answer
      url = redirectOf(question, answer, redirects)
    }
  }

  function redirectOf({ method }: Question, { url, location = '' }: Answer, redirects: number): URL {
    const target = URL.canParse(location, url.href) ? new URL(location, url) : undefined
    const what = `${bmcOf(access)} redirects ${method} ${url.pathname} to ${location.slice(0, 200)}`
    if (target?.origin !== access.origin) {
      throw new RedfishFailure(`${what}: no account is taken to another address. Set redfish_address in driver_info.`)
    }
    if (redirects >= REDIRECTS_LIMIT) throw new RedfishFailure(`${what}, after ${redirects} other redirects.`)
    return target
  }

  /** @returns an answer that is no error @throws RedfishFailure */
  async function insist(question: Question, act: () => Promise<Answer>): Promise<Answer> {
    const { method, link, signal } = question
    for (let attempt = 1; ; attempt++) {
      const failure = await attemptOf(question, act)
      if (!(failure instanceof RedfishFailure)) return failure
      if (attempt >= connection_attempts || !mayPass(failure, question)) throw failure
      log.debug('redfish is asked again', { node: access.node, method, link, attempt, reason: failure.message })
      const pause_s = Math.min(failure.retry_after_s ?? connection_retry_interval_s, LONGEST_PAUSE_S)
      await pause(pause_s * 1000, undefined, { signal }).catch(() => {
        // What the BMC said tells more than that time is up.
        throw failure
      })
    }
  }

  async function attemptOf(question: Question, act: () => Promise<Answer>): Promise<Answer | RedfishFailure> {
    const what = `${question.method} ${here(access, question.link).pathname}`
    try {
      const answer = await act()
      if (answer.status >= 300) return refusal(access, what, answer)
      if (question.method !== 'GET' || question.mayBeEmpty || isTable(answer.body)) return answer
      return new RedfishFailure(`${bmcOf(access)} answered ${what} with HTTP ${answer.status} and no JSON object.`, {
        status: 503,
      })
    } catch (error) {
      if (error instanceof RedfishFailure) return error
      throw error
    }
  }

  /** Another try may do. A change is tried again only when the BMC has not begun with it. */
  function mayPass(failure: RedfishFailure, { method, link }: Question): boolean {
    const { status } = failure
    if (failure.isUnsent || status === 503 || status === 429) return true
    // iDRAC, and iLO, after another change. @source sushy connector.py check_retry_on_exception
    if (failure.names('SYS518') || failure.names('InvalidOperationForSystemState')) return true
    if (method !== 'GET') return false
    if (status === 404) return seen.has(here(access, link).pathname)
    return status !== undefined && status >= 500 && status !== 501
  }

  async function ask(question: Question): Promise<Answer> {
    const answer = await insist(question, () => once(question)).catch((failure) => {
      // Some HPE Gen10 Plus give their registries compressed alone. @source sushy connector.py
      if (question.method !== 'GET' || !(failure instanceof RedfishFailure) || failure.status !== 406) throw failure
      const packed = { ...question, headers: { 'accept-encoding': 'gzip' } }
      return insist(packed, () => once(packed))
    })
    if (question.method === 'GET' && seen.size < SEEN_LIMIT) seen.add(here(access, question.link).pathname)
    return answer
  }

  async function patch(resource: Resource, change: Json, signal: AbortSignal): Promise<Answer> {
    const tags = tagsOf(resource.etag)
    for (const [index, tag] of tags.entries()) {
      const headers: Record<string, string> = tag === undefined ? {} : { 'if-match': tag }
      try {
        return await ask({ method: 'PATCH', link: resource.path, body: change, headers, signal })
      } catch (error) {
        const isTagged = error instanceof RedfishFailure && (error.status === 412 || error.status === 428)
        if (!isTagged || index === tags.length - 1) throw error
      }
    }
    throw new Error('there is always a tag to try')
  }

  return {
    ...{ access, root, patch },
    only_system: undefined,
    get: async (link, signal) => resourceIn(await ask({ method: 'GET', link, signal })),
    send: (method, link, body, signal) => ask({ method, link, signal, ...(body && { body }) }),
    ask: (link, signal) => ask({ method: 'GET', link, mayBeEmpty: true, signal }),
    async close(signal) {
      await credentials.close(signal)
      await wire.close()
    },
  }
}

/**
 * The tags to try a change with, one after the other: a weak one may be wanted as a strong one, and some BMCs have tags
 * that they do not take back. Whoever wants one, and told none, gets any.
 * @source sushy connector.py _etag_handler
 */
function tagsOf(etag: string | undefined): readonly (string | undefined)[] {
  if (etag === undefined) return [undefined, '*']
  const strong = /^W\/(".*")$/.exec(etag)?.[1]
  return strong === undefined ? [etag, undefined] : [etag, strong, undefined]
}

function resourceIn({ url, body, size_bytes, etag }: Answer): Resource {
  const table = isTable(body) ? body : {}
  return { path: url.pathname + url.search, body: table, size_bytes, etag: etag ?? textAt(table, '@odata.etag') }
}
