/** The nodes' reservations, held over long work: taken at once or refused, or in turn for what must not be lost. */
import { NodeLocked } from '../../errors.ts'
import { reserve } from '../../records/reservations.ts'
import type { Store } from '../../records/store.ts'

/** Gives the node back. May be called more than once. */
export type Release = () => Promise<void>
export type Holds = {
  /** @throws NodeLocked, NotFound */
  take(uuid: string): Promise<Release>
  /** Waits until the node is free. @throws NotFound, or the signal's reason */
  takeInTurn(uuid: string, signal: AbortSignal): Promise<Release>
}

export function createHolds(store: Store, hostname: string): Holds {
  /** Called whenever a node becomes free. */
  const waiting = new Map<string, Set<() => void>>()

  async function take(uuid: string): Promise<Release> {
    const release = await reserve(store, hostname, uuid)
    return async () => {
      await release()
      const calls = waiting.get(uuid)
      waiting.delete(uuid)
      for (const call of calls ?? []) call()
    }
  }

  function untilFree(uuid: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const calls = waiting.get(uuid) ?? new Set()
      waiting.set(uuid, calls)
      const done = () => {
        calls.delete(done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      calls.add(done)
      signal.addEventListener('abort', done)
    })
  }

  return {
    take,
    async takeInTurn(uuid, signal) {
      for (;;) {
        signal.throwIfAborted()
        try {
          return await take(uuid)
        } catch (error) {
          if (!(error instanceof NodeLocked)) throw error
        }
        await untilFree(uuid, signal)
      }
    },
  }
}
