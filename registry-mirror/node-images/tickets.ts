/**
 * Tickets: a name and a password that let one machine pull what is held for it until its deploy is over. Only their hashes are kept.
 * Those for work of this box itself end with that work, or with the process: they are written nowhere.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { KeepingState } from '../storage/state.ts'
import type { RepositoryName } from '../oci/names.ts'

export const TICKET_USER = 'ticket'
/** Of one owner: a deploy that goes on after a restart is given another one. */
const KEPT = 4

export type Ticket = { username: string; password: string }

/** Of more than any guess can reach: no slow hash is needed. */
const newPassword = () => randomBytes(32).toString('base64url')
const hashOf = (password: string) => createHash('sha256').update(password).digest('hex')

export class Tickets {
  readonly #state: KeepingState
  /** By the hash of the password. */
  readonly #lent = new Map<string, readonly RepositoryName[]>()

  constructor(state: KeepingState) {
    this.#state = state
  }

  get isEmpty(): boolean {
    return this.#lent.size === 0 && Object.keys(this.#state.tickets).length === 0
  }

  /** Durable when it resolves. */
  async give(owner: string, repository: RepositoryName): Promise<Ticket> {
    const password = newPassword()
    const given = this.#state.tickets[owner] ?? []
    const ticket = { repository, sha256: hashOf(password), since: new Date().toISOString() }
    await this.#state.giveTickets(owner, [...given, ticket].slice(-KEPT))
    return { username: TICKET_USER, password }
  }

  /** Whatever becomes of the owner meanwhile. For this repository, and what else the owner holds now. */
  lend(owner: string, repository: RepositoryName, until: AbortSignal): Ticket {
    const password = newPassword()
    const sha256 = hashOf(password)
    if (!until.aborted) this.#lent.set(sha256, [repository, ...this.#heldBy(owner)])
    until.addEventListener('abort', () => this.#lent.delete(sha256), { once: true })
    return { username: TICKET_USER, password }
  }

  /** What was given for this owner is worth nothing any more. */
  async revoke(owner: string): Promise<void> {
    if (this.#state.tickets[owner] !== undefined) await this.#state.giveTickets(owner, [])
  }

  /** What it was given for, and what else its owner holds. @returns [] when it is none */
  repositoriesOf(password: string): readonly RepositoryName[] {
    const sha256 = hashOf(password)
    const lent = this.#lent.get(sha256)
    if (lent) return lent
    for (const [owner, tickets] of Object.entries(this.#state.tickets)) {
      const found = tickets.find((one) => one.sha256 === sha256)
      if (found) return [found.repository, ...this.#heldBy(owner)]
    }
    return []
  }

  #heldBy(owner: string): RepositoryName[] {
    return (this.#state.holds[owner] ?? []).map(({ repository }) => repository)
  }
}
