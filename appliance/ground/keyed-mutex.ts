/** A mutex for each key, first come, first served. A key that nobody waits for takes no memory. */
import { untilAborted } from './until-aborted.ts'

export type KeyedMutex = {
  /**
   * Runs `work` after all earlier work of this key has ended, however it ended.
   * @throws signal's reason, when it aborts while waiting
   */
  run<T>(key: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T>
}

export function createKeyedMutex(): KeyedMutex {
  const last = new Map<string, Promise<void>>()
  return {
    async run(key, work, signal) {
      const before = last.get(key)
      const { promise: done, resolve: finish } = Promise.withResolvers<void>()
      // Also a caller that gives up waiting stays in the queue: the next one waits for all before it.
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
