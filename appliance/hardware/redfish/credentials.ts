/**
 * How this box proves to one BMC who it is: by a session, or by HTTP basic authentication. Password and token go to
 * the BMC's own address alone.
 */
import type { RedfishAccess } from './access.ts'
import { bmcOf, RedfishFailure, refusal } from './failure.ts'
import { linkAt } from './members.ts'
import { here } from './place.ts'
import type { Answer, Wire } from './wire.ts'

type Credentials = {
  /** Opens a session first, where there is none. @throws RedfishFailure */
  headers(signal: AbortSignal): Promise<Headers>
  /**
   * After 401 or 403: the session may be over.
   * @param refused  what the BMC refused; another session may have been opened since
   * @returns what to try instead; undefined: there is nothing else
   */
  renew(refused: Headers, signal: AbortSignal): Promise<Headers | undefined>
  /** Closes the session: a BMC has few. */
  close(signal: AbortSignal): Promise<void>
}
type Headers = Readonly<Record<string, string>>
/** `path`: of the session; undefined when the BMC did not tell. */
type Session = { token: string; path: string | undefined }

/** @param root  the service root, which everybody may read */
export function createCredentials(
  access: RedfishAccess,
  wire: Wire,
  root: (signal: AbortSignal) => Promise<unknown>,
): Credentials {
  const basic = { authorization: `Basic ${Buffer.from(`${access.username}:${access.password}`).toString('base64')}` }
  let isBasic = access.auth_type === 'basic'
  let hadSession = false
  let opening: Promise<Headers> | undefined
  let session: Session | undefined

  async function open(signal: AbortSignal): Promise<Headers> {
    const answer = await wire.exchange({
      method: 'POST',
      url: here(access, await sessionsPath(signal)),
      headers: {},
      body: { UserName: access.username, Password: access.password },
      signal,
    })
    session = sessionIn(access, answer)
    hadSession = true
    return tokenOf(session)
  }

  async function sessionsPath(signal: AbortSignal): Promise<string> {
    const found = await root(signal).catch((error) => {
      // A BMC that lets nobody read its root: the usual place is tried.
      if (error instanceof RedfishFailure && error.status !== undefined) return undefined
      throw error
    })
    return linkAt(found, 'Links', 'Sessions') ?? `${access.root}SessionService/Sessions`
  }

  /** Once a session was had, nothing is fallen back to. @source sushy auth.py SessionOrBasicAuth */
  async function openOrFallBack(signal: AbortSignal): Promise<Headers> {
    try {
      return await open(signal)
    } catch (error) {
      const isAnswer = error instanceof RedfishFailure && error.status !== undefined
      if (access.auth_type !== 'auto' || hadSession || !isAnswer || isPassing(error)) throw error
      isBasic = true
      return basic
    }
  }

  /** One session for all who ask at once. */
  function openOnce(signal: AbortSignal): Promise<Headers> {
    opening ??= openOrFallBack(signal).finally(() => {
      opening = undefined
    })
    return opening
  }

  async function close(signal: AbortSignal): Promise<void> {
    const closed = session
    session = undefined
    if (closed?.path === undefined) return
    const headers = tokenOf(closed)
    await wire.exchange({ method: 'DELETE', url: here(access, closed.path), headers, signal }).catch(() => {
      // It ends by itself: BMCs close sessions that nobody uses.
    })
  }

  return {
    async headers(signal) {
      if (access.username === '') return {}
      if (isBasic) return basic
      return session ? tokenOf(session) : openOnce(signal)
    },
    async renew(refused, signal) {
      if (access.username === '' || isBasic) return undefined
      if (session && session.token === refused['x-auth-token']) await close(signal)
      return session ? tokenOf(session) : openOnce(signal)
    },
    close,
  }
}

const tokenOf = ({ token }: Session): Headers => ({ 'x-auth-token': token })

/** Busy, or full: another moment, the session may be had. */
const isPassing = ({ status = 0 }: RedfishFailure) => status === 503 || status === 429

function sessionIn(access: RedfishAccess, answer: Answer): Session {
  if (answer.status >= 400) throw refusal(access, 'POST of a session', answer)
  if (answer.token === undefined) {
    throw new RedfishFailure(`${bmcOf(access)} opened a session, and gave no token (X-Auth-Token).`, {
      status: answer.status,
    })
  }
  return { token: answer.token, path: answer.location ?? linkAt(answer.body, '@odata.id') }
}
