/** Slows down who fails to log in, by the address that it comes from. Remembers a limited number of them. */
import { sourceOf } from '@appliance/ground/networks'

type Failures = { count: number; waiting: number; last_at: number }

const FREE_FAILURES = 3
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 16_000
const FORGOTTEN_AFTER_MS = 900_000
const REMEMBERED_LIMIT = 10_000
/** Log-ins of one source that are under way at the same time, without a pause and with one. */
const AT_A_TIME = 16
const SLOWED_AT_A_TIME = 4

export class Throttle {
  readonly #failures = new Map<string, Failures>()
  readonly #now: () => number

  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  /** How long the next log-in from there has to wait; 0: not at all. */
  pauseFor(address: string): number {
    const count = this.#of(address)?.count ?? 0
    return count < FREE_FAILURES ? 0 : Math.min(FIRST_PAUSE_MS * 2 ** (count - FREE_FAILURES), LONGEST_PAUSE_MS)
  }

  /** Takes one of the places that a source has. @returns how to leave it; undefined: all are taken */
  enter(address: string): (() => void) | undefined {
    const found = this.#of(address) ?? this.#remember(address, { count: 0, waiting: 0, last_at: this.#now() })
    if (found.waiting >= (this.pauseFor(address) === 0 ? AT_A_TIME : SLOWED_AT_A_TIME)) return undefined
    found.waiting++
    return () => {
      found.waiting--
      if (found.waiting === 0 && found.count === 0) this.succeeded(address)
    }
  }

  failed(address: string): void {
    const found = this.#of(address) ?? { count: 0, waiting: 0, last_at: 0 }
    found.count++
    found.last_at = this.#now()
    this.#remember(address, found)
  }

  /** The one that failed longest ago is forgotten first: a Map keeps the order. */
  #remember(address: string, found: Failures): Failures {
    this.#failures.delete(sourceOf(address))
    this.#failures.set(sourceOf(address), found)
    if (this.#failures.size > REMEMBERED_LIMIT) {
      const [oldest] = this.#failures.keys()
      if (oldest !== undefined) this.#failures.delete(oldest)
    }
    return found
  }

  succeeded(address: string): void {
    this.#failures.delete(sourceOf(address))
  }

  #of(address: string): Failures | undefined {
    const found = this.#failures.get(sourceOf(address))
    if (found === undefined || this.#now() - found.last_at < FORGOTTEN_AFTER_MS) return found
    this.#failures.delete(sourceOf(address))
    return undefined
  }
}
