/** One at a time for each key: many BMCs lose commands that overlap. Holds no key that nobody waits for. */

import { untilAborted } from '@appliance/ground/until-aborted'

export type Turns = {
  /** Runs `work` after all that were asked for before with this key. @throws signal's reason, when it aborts while waiting */
  take<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T>
}

export function createTurns(): Turns {
  const last = new Map<string, Promise<void>>()
  return {
    async take(key, signal, work) {
      const before = last.get(key)
      const { promise: done, resolve: finish } = Promise.withResolvers<void>()
      // Even who gives up waiting keeps its place: the next one waits for all before it.
      const mine = (before ?? Promise.resolve()).then(() => done)
      last.set(key, mine)
      void mine.then(() => {
        if (last.get(key) === mine) last.delete(key)
      })
      try {
        if (before) await untilAborted(before, signal)
        signal.throwIfAborted()
        return await work()
      } finally {
        finish()
      }
    },
  }
}
