/** Reserves nodes for long work: at once or not at all, or, for what must not be lost, as soon as the node is free. */
import { NodeLocked } from '../../errors.ts'
import { reserve } from '../../records/reservations.ts'
import type { Store } from '../../records/store.ts'

/** Gives the node back. May be called more than once. */
type Release = () => Promise<void>
export type Reservations = {
  /** @throws NodeLocked, NotFound */
  take(uuid: string): Promise<Release>
  /** Waits until the node is free. @throws NotFound, or the signal's reason */
  takeWhenFree(uuid: string, signal: AbortSignal): Promise<Release>
}

export function createReservations(store: Store, hostname: string): Reservations {
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
    async takeWhenFree(uuid, signal) {
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
