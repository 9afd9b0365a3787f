/**
 * Reserves nodes for work. Who finds a node reserved waits in line: a request for moments, what must not be lost until
 * the node is free.
 */
import { NodeLocked } from '../../errors.ts'
import { reserve } from '../../records/reservations.ts'
import type { Store } from '../../records/store.ts'

/** Gives the node back. May be called more than once. */
type Release = () => Promise<void>
export type Reservations = {
  /** At once, or in line for at most `patience_s`. @throws NodeLocked, NotFound */
  take(uuid: string): Promise<Release>
  /** At once; undefined: another task has it. @throws NotFound */
  takeIfFree(uuid: string): Promise<Release | undefined>
  /** Waits until the node is free. @throws NotFound, or the signal's reason */
  takeWhenFree(uuid: string, signal: AbortSignal): Promise<Release>
}
type Given = {
  store: Store
  hostname: string
  /** How long a request waits for a node; 0: not at all. */
  patience_s: number
  /** Called whenever a node may have become free. */
  onFree?: (uuid: string) => void
}

/** Requests that wait for one node, and for all nodes: more of them are refused at once. */
const WAITING_LIMIT = { node: 100, all: 1000 }

export function createReservations({ store, hostname, patience_s, onFree }: Given): Reservations {
  /** By node: a call each, first come, first served. The first is called whenever the node may be free. */
  const lines = new Map<string, Set<() => void>>()
  let requests = 0

  const wakeFirst = (uuid: string) => {
    const [first] = lines.get(uuid) ?? []
    first?.()
  }

  async function takeNow(uuid: string): Promise<Release> {
    const release = await reserve(store, hostname, uuid)
    return async () => {
      await release()
      wakeFirst(uuid)
      onFree?.(uuid)
    }
  }

  async function takeInLine(uuid: string, signal: AbortSignal): Promise<Release> {
    const line = lines.get(uuid) ?? new Set()
    lines.set(uuid, line)
    let wake = () => {}
    const call = () => wake()
    line.add(call)
    signal.addEventListener('abort', call)
    try {
      for (;;) {
        signal.throwIfAborted()
        const woken = new Promise<void>((resolve) => {
          wake = resolve
        })
        const [first] = line
        const release = first === call ? await unlessLocked(takeNow(uuid)) : undefined
        if (release) return release
        await woken
      }
    } finally {
      signal.removeEventListener('abort', call)
      line.delete(call)
      if (line.size === 0) lines.delete(uuid)
      wakeFirst(uuid)
    }
  }

  return {
    async take(uuid) {
      const release = lines.has(uuid) ? undefined : await unlessLocked(takeNow(uuid))
      if (release) return release
      const inLine = lines.get(uuid)?.size ?? 0
      if (patience_s === 0 || requests >= WAITING_LIMIT.all || inLine >= WAITING_LIMIT.node) {
        return takeNow(uuid)
      }
      requests++
      const patience = new AbortController()
      const timer = setTimeout(() => patience.abort(new OutOfPatience()), patience_s * 1000)
      try {
        return await takeInLine(uuid, patience.signal)
      } catch (error) {
        if (!(error instanceof OutOfPatience)) throw error
        return await takeNow(uuid)
      } finally {
        clearTimeout(timer)
        requests--
      }
    },
    takeIfFree: async (uuid) => (lines.has(uuid) ? undefined : unlessLocked(takeNow(uuid))),
    takeWhenFree: takeInLine,
  }
}

class OutOfPatience extends Error {}

/** undefined: another task has it. */
const unlessLocked = (taking: Promise<Release>): Promise<Release | undefined> =>
  taking.catch((error: unknown) => {
    if (error instanceof NodeLocked) return undefined
    throw error
  })
