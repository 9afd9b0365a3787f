/** How often a download may fail: so many times in a row, without a byte more than before. */
import { setTimeout as pause } from 'node:timers/promises'

export type Retries = {
  /** Pauses, but not after the first failure: a cut is mostly over at once. @returns false when it is enough */
  again(): Promise<boolean>
  /** So many bytes have come. More than ever: the count begins anew. */
  progress(done: number): void
}

export function createRetries(options: { retries: number; retry_interval_s: number; signal: AbortSignal }): Retries {
  let failures = 0
  let furthest = 0
  return {
    async again() {
      failures += 1
      if (failures > options.retries) return false
      if (failures > 1) await pause(options.retry_interval_s * 1000, undefined, { signal: options.signal })
      return true
    },
    progress(done) {
      if (done <= furthest) return
      furthest = done
      failures = 0
    },
  }
}
