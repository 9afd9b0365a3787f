/** What keeps blobs from taking all of the line: how fast they may come. */
import { setTimeout as sleep } from 'node:timers/promises'

/** Bytes that may come before the limit is felt. */
const BURST_MS = 200

/** So many bytes each second, all who take together. */
export class Throttle {
  readonly #bytes_per_ms: number
  #taken_until = 0

  /** @param kib_per_s  0: no limit */
  constructor(kib_per_s: number) {
    this.#bytes_per_ms = (kib_per_s * 1024) / 1000
  }

  /** Resolves when the line may be used again after these bytes. @throws when the signal is aborted */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#bytes_per_ms === 0) return
    const now = performance.now()
    this.#taken_until = Math.max(this.#taken_until, now) + bytes / this.#bytes_per_ms
    const wait_ms = this.#taken_until - now - BURST_MS
    if (wait_ms > 1) await sleep(wait_ms, undefined, { signal })
  }
}
