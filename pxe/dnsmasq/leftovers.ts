/**
 * Ends a dnsmasq that an appliance left behind when it was killed: two of them would share the port and both answer.
 */
import { readdir, readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import type { PxeLog } from '../config.ts'

const DEADLINE_MS = 2_000
const LOOK_EVERY_MS = 20

/**
 * Knows its own by the configuration that they were started with: state_path belongs to one appliance at a time.
 * @param argument  of its command line, whole
 */
export async function endLeftovers(argument: string, log: PxeLog): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS
  for (const pid of await processesWith(argument)) {
    log.warn('a dnsmasq of an appliance that was killed is ended', { pid })
    try {
      process.kill(pid, 'SIGKILL')
    } catch (error) {
      // It ended by itself, or is another user's: then dnsmasq itself finds the port taken and says so.
      log.warn('it could not be ended', { pid, error })
    }
  }
  while (Date.now() < deadline && (await processesWith(argument)).length > 0) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
  }
}

async function processesWith(argument: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(
    pids.map(async (pid) => {
      // A process that has just ended has no command line any more.
      const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
      return basename(words[0] ?? '') === 'dnsmasq' && words.includes(argument) ? [Number(pid)] : []
    }),
  )
  return found.flat()
}
