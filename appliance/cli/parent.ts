/**
 * Notices that npm or npx, which started this command, is gone: neither passes on a signal to what its shell started.
 */
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { setInterval } from 'node:timers'

const LOOK_EVERY_MS = 500

/**
 * Resolves when npm, or the shell between, has ended; never when this was started in another way: a daemon's parent
 * may go.
 * @source npm: @npmcli/run-script passes SIGTERM to its shell, which dies of it and leaves its child; and SIGHUP to
 * nobody
 */
export function npmGone({ npm_command }: NodeJS.ProcessEnv = process.env): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (npm_command === undefined) return promise
  const [shell, npm] = ancestors()
  const timer = setInterval(() => {
    const [parent, grandparent] = ancestors()
    if (parent === shell && grandparent === npm) return
    clearInterval(timer)
    resolve()
  }, LOOK_EVERY_MS).unref()
  return promise
}

/** The process ids of parent and grandparent. */
function ancestors(): [number, number | undefined] {
  return [process.ppid, parentOf(process.ppid)]
}

/**
 * @source proc(5), /proc/pid/stat: the program's name, which may hold anything, stands in the last brackets; state
 * and parent follow
 */
function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    // It has ended, or /proc hides it.
    return undefined
  }
}
