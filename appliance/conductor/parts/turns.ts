/** Has the heavy work of a plugin's nodes wait in line. Counts for this process alone. */
import { createSemaphore, type Semaphore } from '@appliance/ground/semaphore'
import type { Task } from '../../plugin-api/index.ts'

/** By plugin. */
export type Turns = Map<string, { semaphore: Semaphore; limit: number }>

type Given = { plugin: string; signal: AbortSignal; progress: Task['progress'] }

/** Told again and again: who waits in line has not stalled. */
const TOLD_EVERY_MS = 10_000

export async function inTurn<T>(turns: Turns, given: Given, limit: number, work: () => Promise<T>): Promise<T> {
  const { plugin, signal, progress } = given
  const known = turns.get(plugin)
  const { semaphore } = known?.limit === limit ? known : { semaphore: createSemaphore(limit) }
  turns.set(plugin, { semaphore, limit })
  let telling: NodeJS.Timeout | undefined
  const leave = await semaphore
    .enter(signal, () => {
      const tell = () => progress({ note: `waiting for its turn: ${limit} run at a time` })
      tell()
      telling = setInterval(tell, TOLD_EVERY_MS)
    })
    .finally(() => clearInterval(telling))
  try {
    return await work()
  } finally {
    leave()
  }
}
