/**
 * What the person in front of the machine sees: lines on every console that the kernel names active, and a log file.
 */
import { appendFileSync, constants, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'

export type Screen = {
  /** A line that stays. */
  say(text: string): void
  /** A line that the next one replaces. */
  progress(text: string): void
  /** For the log only. */
  note(text: string): void
}

const WIDTH = 79

/**
 * @param root  where /sys, /dev and /var are
 * A console that cannot be written (a serial line that nobody made) costs nothing and stops nothing.
 */
export function createScreen(root: string): Screen {
  const consoles = openConsoles(root)
  const logFile = join(root, 'var/log/agent.log')
  mkdirSync(dirname(logFile), { recursive: true })
  let open = false
  const show = (text: string) => {
    for (const console of consoles) {
      try {
        writeSync(console, text)
      } catch {
        // A full or absent serial line; the log has the text too.
      }
    }
  }
  const note = (text: string) => {
    try {
      appendFileSync(logFile, `${new Date().toISOString()} ${text}\n`)
    } catch {
      // The machine's memory is full. The deploy goes on; the consoles have what matters.
    }
  }
  return {
    note,
    say(text) {
      show(`${open ? '\r\n' : ''}${printable(text)}\r\n`)
      open = false
      note(text)
    },
    progress(text) {
      show(`\r${printable(text).slice(0, WIDTH).padEnd(WIDTH)}`)
      open = true
    },
  }
}

function openConsoles(root: string): number[] {
  return activeConsoles(root).flatMap((name) => {
    const file = join(root, 'dev', name)
    try {
      return [openSync(file, constants.O_WRONLY | constants.O_NOCTTY | constants.O_NONBLOCK | constants.O_APPEND)]
    } catch {
      // One that is not there takes nothing from the others.
      return []
    }
  })
}

function activeConsoles(root: string): string[] {
  try {
    return readFileSync(join(root, 'sys/class/tty/console/active'), 'utf8').split(/\s+/).filter(Boolean)
  } catch {
    // No console at all: what is said goes to the log.
    return []
  }
}

/** The console's font has ASCII; control characters from afar must not move its cursor. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?')
}
