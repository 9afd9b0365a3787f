/** How much of what is being sent is in memory at one time: the more clients read, the smaller their buffers are. */

/** A hundred clients with two buffers of 512 KiB each, and many more with small ones. */
const TOTAL_BYTES = 128 * 1024 * 1024
const LEAST_BYTES = 32 * 1024

export class SendRoom {
  readonly #total_bytes: number
  #taken_bytes = 0

  constructor(total_bytes = TOTAL_BYTES) {
    this.#total_bytes = total_bytes
  }

  /** @returns size of one buffer: less than wanted when there is little left, never less than 32 KiB */
  take(wanted_bytes: number): number {
    const left = Math.max(0, this.#total_bytes - this.#taken_bytes)
    const granted = Math.min(wanted_bytes, Math.max(LEAST_BYTES, Math.floor(left / 8)))
    this.#taken_bytes += granted
    return granted
  }

  /** Called once for each `take`, when the buffer is let go. */
  give(granted_bytes: number): void {
    this.#taken_bytes -= granted_bytes
  }
}
