/**
 * Tokens that this registry issues for a name and a password, or to anonymous clients. They are valid until they
 * expire or the registry stops.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

export const SESSION_LIFE_S = 300

export type Caller = {
  /** undefined: an anonymous client. */
  user: string | undefined
  /** Repositories that the client may pull, guarded or not, by a pull secret or a ticket. */
  opened?: readonly string[]
  /** What the gate knows the ticket by that opened them: they are open as long as that is. */
  ticket?: string
}

export class Sessions {
  readonly #key = randomBytes(32)

  #sign = (body: string) => createHmac('sha256', this.#key).update(body).digest()

  issue({ user, opened, ticket }: Caller, now = Date.now()): string {
    const body = Buffer.from(JSON.stringify({ user, opened, ticket, until: now + SESSION_LIFE_S * 1000 })).toString(
      'base64url',
    )
    return `${body}.${this.#sign(body).toString('base64url')}`
  }

  /** @returns undefined  the token is none of ours, or has expired */
  callerOf(token: string, now = Date.now()): Caller | undefined {
    const [body = '', signature = ''] = token.split('.')
    const [wanted, found] = [this.#sign(body), Buffer.from(signature, 'base64url')]
    if (wanted.length !== found.length || !timingSafeEqual(wanted, found)) return undefined
    const { until, ...caller } = JSON.parse(Buffer.from(body, 'base64url').toString()) as Partial<Caller> & {
      until: number
    }
    return until > now ? { user: undefined, ...caller } : undefined
  }
}
