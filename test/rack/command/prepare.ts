/** Makes several things at once before the rack starts, and shows how each gets on. */

import type { Tell } from '../cache.ts'
import type { Activity } from '../timeline.ts'
import type { Display } from './display.ts'

type Progress = (done: number, total: number | undefined) => void
export type Making<T> = {
  name: string
  make(signal: AbortSignal, progress: Progress, tell: Tell): Promise<T>
}

const SHOW_INTERVAL_MS = 500
/** What takes less was there already, and is not worth a line. */
const WORTH_TELLING_S = 2

/** When one fails the others are ended. @throws what the first one that failed threw, when all have ended */
export async function prepare<T extends readonly unknown[]>(
  display: Display,
  signal: AbortSignal,
  makings: { readonly [K in keyof T]: Making<T[K]> },
): Promise<T> {
  const failed = new AbortController()
  const either = AbortSignal.any([signal, failed.signal])
  const began_ms = Date.now()
  const elapsed_s = () => (Date.now() - began_ms) / 1000
  const going = new Map<string, Activity>()
  const follow = async <One>({ name, make }: Making<One>): Promise<One> => {
    const activity: Activity = { name: 'looking for it in the cache', since_ms: began_ms }
    going.set(name, activity)
    const progress: Progress = (done, total) => Object.assign(activity, { name: 'downloading it', done, total })
    // Each thing that it does has a time of its own, and stays on the screen where lines do.
    const tell: Tell = (doing) => {
      Object.assign(activity, { name: doing, since_ms: Date.now() })
      display.say(`${name}: ${doing} ...`)
    }
    try {
      const made = await make(either, progress, tell)
      if (elapsed_s() > WORTH_TELLING_S) display.say(`${name}: ready after ${elapsed_s().toFixed(1)} s`)
      return made
    } catch (error) {
      failed.abort()
      throw error
    } finally {
      going.delete(name)
    }
  }
  const show = () => {
    if (elapsed_s() < WORTH_TELLING_S) return
    display.show([...going].map(([name, activity]) => ({ name, elapsed_s: elapsed_s(), activity })))
  }
  const timer = setInterval(show, SHOW_INTERVAL_MS)
  try {
    const works = makings.map((making) => follow(making))
    const all = Promise.all(works)
    await Promise.allSettled([all, ...works])
    return (await all) as unknown as T
  } finally {
    clearInterval(timer)
    display.end()
  }
}
