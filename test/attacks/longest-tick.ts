/** How long a piece of work stands everything else of this process still. */
import process from 'node:process'

const EACH_MS = 1

/**
 * Processor time of the main thread between two ticks of a timer, the most of all: a stall of the event loop, whatever
 * else the machine does. The first work of its kind also compiles its code: the caller does it once before.
 */
export async function longestTick<T>(act: () => Promise<T>): Promise<{ longest_ms: number; value: T }> {
  let longest_us = 0
  let before = used()
  const look = () => {
    const now = used()
    longest_us = Math.max(longest_us, now - before)
    before = now
  }
  const timer = setInterval(look, EACH_MS)
  try {
    const value = await act()
    look()
    return { longest_ms: longest_us / 1000, value }
  } finally {
    clearInterval(timer)
  }
}

function used(): number {
  const { user, system } = process.threadCpuUsage()
  return user + system
}
