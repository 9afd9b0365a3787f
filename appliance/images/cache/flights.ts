/**
 * One piece of work for each key, however many want its result. Who gives up stops waiting; the work stops when nobody
 * waits.
 */
import { createSemaphore } from '@appliance/ground/semaphore'
import { untilAborted } from '@appliance/ground/until-aborted'

export type Note = { note: string; done?: number; total?: number; unit?: 'bytes' | 'steps' }
export type Waiter = { signal: AbortSignal; progress(note: Note): void }
export type Flights<T> = {
  /** Joins the work that is under way for `key`, or starts it. @throws what the work throws, or signal's reason */
  join(key: string, waiter: Waiter, work: (flight: Waiter) => Promise<T>): Promise<T>
  /** Aborts what is under way, and waits for its end. */
  close(): Promise<void>
}

type Flight<T> = { result: Promise<T>; waiters: Set<Waiter>; last: Note | undefined; stop: AbortController }

/** @param limit  pieces of work at once; further ones wait for their turn */
export function createFlights<T>(limit: number): Flights<T> {
  const flights = new Map<string, Flight<T>>()
  const semaphore = createSemaphore(limit)

  function start(key: string, work: (flight: Waiter) => Promise<T>): Flight<T> {
    const stop = new AbortController()
    const tell = (note: Note) => {
      flight.last = note
      for (const waiter of flight.waiters) waiter.progress(note)
    }
    const run = async () => {
      const leave = await semaphore.enter(stop.signal, () => tell({ note: 'waiting for other images' }))
      try {
        return await work({ signal: stop.signal, progress: tell })
      } finally {
        leave()
      }
    }
    const flight: Flight<T> = { result: Promise.resolve().then(run), waiters: new Set(), last: undefined, stop }
    const land = () => {
      if (flights.get(key) === flight) flights.delete(key)
    }
    flight.result.then(land, land)
    flights.set(key, flight)
    return flight
  }

  return {
    async join(key, waiter, work) {
      waiter.signal.throwIfAborted()
      // What is being given up belongs to nobody: its end is waited for, as both would write to one place.
      for (let old = flights.get(key); old?.stop.signal.aborted; old = flights.get(key))
        await old.result.catch(() => {})
      waiter.signal.throwIfAborted()
      const flight = flights.get(key) ?? start(key, work)
      flight.waiters.add(waiter)
      if (flight.last) waiter.progress(flight.last)
      try {
        return await untilAborted(flight.result, waiter.signal)
      } finally {
        flight.waiters.delete(waiter)
        if (flight.waiters.size === 0)
          flight.stop.abort(waiter.signal.reason ?? new Error('nobody waits for it any more'))
      }
    },
    async close() {
      const open = [...flights.values()]
      for (const { stop } of open) stop.abort(new Error('the appliance stops'))
      await Promise.allSettled(open.map(({ result }) => result))
    },
  }
}
