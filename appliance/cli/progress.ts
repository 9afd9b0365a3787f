/**
 * Shows the progress of something long: on a terminal in one line that changes, elsewhere in a plain line now and
 * then.
 */

const TERMINAL_EVERY_MS = 200
const PLAIN_EVERY_MS = 10_000
/** Before that, the rest of the time cannot be estimated. */
const SPEED_AFTER_MS = 1_000

type Output = { write(text: string): unknown; isTTY?: boolean }

export class Progress {
  readonly #what: string
  readonly #output: Output
  readonly #now: () => number
  /** Bytes of an earlier attempt do not count for the speed. */
  #first: { bytes: number; at: number } | undefined
  #told: number
  #lineLength = 0

  constructor(what: string, output: Output, now: () => number = Date.now) {
    this.#what = what
    this.#output = output
    this.#now = now
    this.#told = output.isTTY ? Number.NEGATIVE_INFINITY : now()
  }

  /** A bound function, so that callers can pass it on. */
  readonly update = (done_bytes: number, total_bytes: number): void => {
    const now = this.#now()
    this.#first ??= { bytes: done_bytes, at: now }
    if (now - this.#told < (this.#output.isTTY ? TERMINAL_EVERY_MS : PLAIN_EVERY_MS)) return
    this.#told = now
    const line = `${this.#what}: ${stateText({ done_bytes, total_bytes, first: this.#first.bytes, ms: now - this.#first.at })}`
    if (this.#output.isTTY) this.#output.write(`\r${line.padEnd(this.#lineLength)}`)
    else this.#output.write(`${line}\n`)
    this.#lineLength = line.length
  }

  /** Leaves nothing on a terminal. */
  end(): void {
    if (this.#output.isTTY && this.#lineLength > 0) this.#output.write(`\r${' '.repeat(this.#lineLength)}\r`)
    this.#lineLength = 0
  }
}

type State = { done_bytes: number; total_bytes: number; first: number; ms: number }

function stateText({ done_bytes, total_bytes, first, ms }: State): string {
  if (total_bytes === 0) return sizeText(done_bytes)
  const part = `${sizeText(done_bytes)} of ${sizeText(total_bytes)}, ${Math.floor((100 * done_bytes) / total_bytes)} %`
  const perMs = (done_bytes - first) / ms
  if (ms < SPEED_AFTER_MS || perMs <= 0) return part
  return `${part}, ${sizeText(perMs * 1000)}/s, ${timeText((total_bytes - done_bytes) / perMs / 1000)} left`
}

/** A size with about three digits: 1.2 GiB. */
export function sizeText(bytes: number): string {
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), 4)
  const value = bytes / 1024 ** power
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${['bytes', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`
}

export function timeText(seconds: number): string {
  const s = Math.ceil(seconds)
  if (s < 60) return `${s} s`
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`
}
