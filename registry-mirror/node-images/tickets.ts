/**
 * Tickets: a name and a password that let one machine pull the images that are held for it, until its deploy is over.
 * Only hashes are stored. Tickets for work of this box itself end with that work, or with the process, and are stored
 * nowhere.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { RepositoryName } from '../oci/names.ts'
import type { RegistryState } from '../storage/state.ts'

export const TICKET_USER = 'ticket'
/** Of one owner: a deploy that continues after a restart gets another ticket. */
const TICKETS_LIMIT = 4

export type Ticket = { username: string; password: string }

/** 256 random bits: no guess finds them, so that the hash need not be slow. */
const newPassword = () => randomBytes(32).toString('base64url')
const hashOf = (password: string) => createHash('sha256').update(password).digest('hex')

export class Tickets {
  readonly #state: RegistryState
  /** By the hash of the password. */
  readonly #lent = new Map<string, readonly RepositoryName[]>()

  constructor(state: RegistryState) {
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
    await this.#state.giveTickets(owner, [...given, ticket].slice(-TICKETS_LIMIT))
    return { username: TICKET_USER, password }
  }

  /** Valid until the signal, whatever becomes of the owner: for this repository, and all that the owner holds now. */
  lend(owner: string, repository: RepositoryName, until: AbortSignal): Ticket {
    const password = newPassword()
    const sha256 = hashOf(password)
    if (!until.aborted) this.#lent.set(sha256, [repository, ...this.#heldBy(owner)])
    until.addEventListener('abort', () => this.#lent.delete(sha256), { once: true })
    return { username: TICKET_USER, password }
  }

  /** Ends all tickets of this owner. */
  async revoke(owner: string): Promise<void> {
    if (this.#state.tickets[owner] !== undefined) await this.#state.giveTickets(owner, [])
  }

  /** What a ticket is known by here: its hash. */
  idOf(password: string): string {
    return hashOf(password)
  }

  /** The repository of the ticket, and all that its owner holds. @returns []  there is no such ticket any more */
  repositoriesOf(sha256: string): readonly RepositoryName[] {
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
