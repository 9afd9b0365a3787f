/** Waits for an agent that works on something else. */
import { setTimeout as pause } from 'node:timers/promises'
import { AgentBusy } from '../../agent/client.ts'

const PAUSE_MS = 1000

/**
 * @param limit_ms  how long; left out: until the signal ends it
 * @throws AgentBusy  past the limit; whatever `give` throws
 */
export async function whenNotBusy<T>(give: () => Promise<T>, signal: AbortSignal, limit_ms = Infinity): Promise<T> {
  const end_ms = performance.now() + limit_ms
  for (;;) {
    try {
      return await give()
    } catch (error) {
      if (!(error instanceof AgentBusy) || performance.now() > end_ms) throw error
    }
    await pause(PAUSE_MS, undefined, { signal })
  }
}
