/** Calls something again and again until it is disposed of; never twice at once, and no longer than that. */
import { setTimeout as pause } from 'node:timers/promises'

export function sampling(every_ms: number, sample: () => Promise<void>): AsyncDisposable {
  const stop = new AbortController()
  const ended = repeat(every_ms, sample, stop.signal)
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await ended
    },
  }
}

async function repeat(every_ms: number, sample: () => Promise<void>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    // What cannot be read just now is not shown.
    await sample().catch(() => {})
    await pause(every_ms, undefined, { signal }).catch(() => {})
  }
}
