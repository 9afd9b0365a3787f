/** A circuit breaker: after a failure nobody asks for a while; then one may try, and its luck decides for all. */
import { UpstreamFailure } from './failure.ts'

const LONGEST_PAUSE_MS = 60_000

export class Breaker {
  readonly #trips: (failure: UpstreamFailure) => boolean
  #failure: UpstreamFailure | undefined
  #until = 0
  readonly #first_pause_ms: number
  #pause_ms: number
  #isTrying = false

  /** @param trips  whether nobody needs to ask again after this failure */
  constructor(trips: (failure: UpstreamFailure) => boolean, pause_ms: number) {
    this.#trips = trips
    this.#first_pause_ms = pause_ms
    this.#pause_ms = pause_ms
  }

  /** What keeps everybody from asking. */
  get open(): UpstreamFailure | undefined {
    return this.#failure && (Date.now() < this.#until || this.#isTrying) ? this.#failure : undefined
  }
  /** The last failure, until something succeeds. */
  get failure(): UpstreamFailure | undefined {
    return this.#failure
  }

  /** @throws UpstreamFailure  the one that opened it, when it is open; else what `act` throws */
  async run<T>(act: () => Promise<T>): Promise<T> {
    const { open } = this
    if (open) throw open
    const isTrial = this.#failure !== undefined
    this.#isTrying = isTrial
    try {
      const result = await act()
      this.#failure = undefined
      this.#pause_ms = this.#first_pause_ms
      return result
    } catch (error) {
      if (error instanceof UpstreamFailure) this.#note(error)
      throw error
    } finally {
      if (isTrial) this.#isTrying = false
    }
  }

  #note(failure: UpstreamFailure): void {
    if (!this.#trips(failure)) return
    // Many may fail at once, for one and the same reason.
    if (this.#failure === undefined || Date.now() >= this.#until) {
      const pause_ms = failure.retry_after_s === undefined ? this.#pause_ms : failure.retry_after_s * 1000
      this.#until = Date.now() + Math.min(pause_ms, LONGEST_PAUSE_MS)
      this.#pause_ms = Math.min(this.#pause_ms * 2, LONGEST_PAUSE_MS)
    }
    this.#failure = failure
  }
}
