/** One at a time for each key, in the order of asking. Holds no key that nobody waits for. */
import { untilAborted } from './until-aborted.ts'

export type Turns = {
  /** Runs `work` after all that was asked for before with this key has ended, however it ended. @throws signal's reason, when it aborts while waiting */
  take<T>(key: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T>
}

export function createTurns(): Turns {
  const last = new Map<string, Promise<void>>()
  return {
    async take(key, work, signal) {
      const before = last.get(key)
      const { promise: done, resolve: finish } = Promise.withResolvers<void>()
      // Even who gives up waiting keeps its place: the next one waits for all before it.
      const mine = before ? before.then(() => done) : done
      last.set(key, mine)
      void mine.then(() => {
        if (last.get(key) === mine) last.delete(key)
      })
      try {
        if (before) await (signal ? untilAborted(before, signal) : before)
        signal?.throwIfAborted()
        return await work()
      } finally {
        finish()
      }
    },
  }
}
