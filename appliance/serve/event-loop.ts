/**
 * Watches how long the event loop stands still: by the clock, and by the processor time of its thread. The second says
 * what our own code did, whatever else the box is busy with.
 */
import process from 'node:process'

const INTERVAL_MS = 20

/**
 * @param onTick  told how much later than due it is called, and the processor time since it was called before: of one
 *   callback, or of many that were ready at once
 * @returns how to end it. It keeps no process alive
 */
export function watchEventLoop(onTick: (delay_s: number, busy_s: number) => void): () => void {
  let due_ms = performance.now() + INTERVAL_MS
  let used = process.threadCpuUsage()
  const timer = setInterval(() => {
    const now_ms = performance.now()
    const { user, system } = process.threadCpuUsage(used)
    used = { user: used.user + user, system: used.system + system }
    onTick(Math.max(0, now_ms - due_ms) / 1000, (user + system) / 1e6)
    due_ms = now_ms + INTERVAL_MS
  }, INTERVAL_MS)
  timer.unref()
  return () => clearInterval(timer)
}
