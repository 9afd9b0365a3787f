/**
 * A circuit breaker. After a failure no request is sent for a while; then one request tries, and its result decides
 * for all.
 */
import { UpstreamFailure } from './failure.ts'

const LONGEST_PAUSE_MS = 60_000

export class Breaker {
  readonly #trips: (failure: UpstreamFailure) => boolean
  #failure: UpstreamFailure | undefined
  #until = 0
  readonly #first_pause_ms: number
  #pause_ms: number
  #isTrying = false

  /** @param trips  whether this failure opens the breaker */
  constructor(trips: (failure: UpstreamFailure) => boolean, pause_ms: number) {
    this.#trips = trips
    this.#first_pause_ms = pause_ms
    this.#pause_ms = pause_ms
  }

  /** The failure because of which no request is sent. */
  get open(): UpstreamFailure | undefined {
    return this.#failure && (Date.now() < this.#until || this.#isTrying) ? this.#failure : undefined
  }
  /** The last failure, until a request succeeds. */
  get failure(): UpstreamFailure | undefined {
    return this.#failure
  }

  /** @throws UpstreamFailure  the one that opened the breaker; the error of `act` */
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
    // Concurrent requests fail for the same reason: they count once.
    if (this.#failure === undefined || Date.now() >= this.#until) {
      const pause_ms = failure.retry_after_s === undefined ? this.#pause_ms : failure.retry_after_s * 1000
      this.#until = Date.now() + Math.min(pause_ms, LONGEST_PAUSE_MS)
      this.#pause_ms = Math.min(this.#pause_ms * 2, LONGEST_PAUSE_MS)
    }
    this.#failure = failure
  }
}
