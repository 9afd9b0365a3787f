/** The bandwidth limit of an upstream: blobs must not take all of the line. */
import { setTimeout as sleep } from 'node:timers/promises'

/** How far transfers may run ahead of the limit. */
const BURST_MS = 200

/** A limit of bytes a second for all transfers together. */
export class Throttle {
  readonly #bytes_per_ms: number
  #taken_until = 0

  /** @param kib_per_s  0: no limit */
  constructor(kib_per_s: number) {
    this.#bytes_per_ms = (kib_per_s * 1024) / 1000
  }

  /** Resolves when more bytes may come after these. @throws signal's reason */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#bytes_per_ms === 0) return
    const now = performance.now()
    this.#taken_until = Math.max(this.#taken_until, now) + bytes / this.#bytes_per_ms
    const wait_ms = this.#taken_until - now - BURST_MS
    if (wait_ms > 1) await sleep(wait_ms, undefined, { signal })
  }
}
