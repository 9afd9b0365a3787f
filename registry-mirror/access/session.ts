/** Tokens that this registry gives for a name and a password, or for nothing: who has them is known until they end, or the registry does. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

export const SESSION_LIFE_S = 300

export type Holder = {
  /** undefined: nobody in particular. */
  user: string | undefined
  /** That they may pull, guarded or not: they have a pull secret or a ticket of these. */
  opened?: readonly string[]
}

export class Sessions {
  readonly #key = randomBytes(32)

  #sign = (body: string) => createHmac('sha256', this.#key).update(body).digest()

  issue({ user, opened }: Holder, now = Date.now()): string {
    const body = Buffer.from(JSON.stringify({ user, opened, until: now + SESSION_LIFE_S * 1000 })).toString('base64url')
    return `${body}.${this.#sign(body).toString('base64url')}`
  }

  /** @returns undefined: none of ours, or not any more */
  holderOf(token: string, now = Date.now()): Holder | undefined {
    const [body = '', signature = ''] = token.split('.')
    const [wanted, found] = [this.#sign(body), Buffer.from(signature, 'base64url')]
    if (wanted.length !== found.length || !timingSafeEqual(wanted, found)) return undefined
    const { until, ...holder } = JSON.parse(Buffer.from(body, 'base64url').toString()) as Partial<Holder> & {
      until: number
    }
    return until > now ? { user: undefined, ...holder } : undefined
  }
}
