/** Runs a program of ours as a process of its own, reads its JSON log, and ends it. For measuring it from outside. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

export type LogLine = { message: string; [field: string]: unknown }
export type Child = AsyncDisposable & {
  pid: number
  /** All that it logged so far. */
  lines: readonly LogLine[]
  /**
   * The first line with this message, and that `matches`.
   * @throws Error  with its last words when it ends before, or none comes in time
   */
  told(message: string, matches?: (line: LogLine) => boolean): Promise<LogLine>
}

/** Of a start on a busy box, and of anything that a program of ours may take between two lines. */
const WORD_DEADLINE_MS = 45_000
const STOP_DEADLINE_MS = 8_000
const LAST_LINES = 10

/** @param program  Node itself when left out */
export function startChild(args: readonly string[], program = process.execPath): Child {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const lines: LogLine[] = []
  const words: string[] = []
  const listeners = new Set<() => void>()
  const wake = () => {
    for (const listener of listeners) listener()
  }
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()).once('error', () => resolve()))
  void ended.then(wake)
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (text) => {
      words.push(text)
      const line = parse(text)
      if (line) lines.push(line)
      wake()
    })
  }
  const lastWords = () => words.slice(-LAST_LINES).join('\n')
  const isOver = () => child.exitCode !== null || child.signalCode !== null
  return {
    pid: child.pid ?? 0,
    lines,
    told(message, matches = () => true) {
      const { promise, resolve, reject } = Promise.withResolvers<LogLine>()
      const look = () => {
        const line = lines.find((one) => one.message === message && matches(one))
        if (line) resolve(line)
        else if (isOver()) reject(new Error(`${program} ${args[0]} ended: ${lastWords()}`))
      }
      const late = () =>
        reject(new Error(`${program} ${args[0]} did not say "${message}"; last it said: ${lastWords()}`))
      const timer = setTimeout(late, WORD_DEADLINE_MS)
      listeners.add(look)
      look()
      return promise.finally(() => {
        listeners.delete(look)
        clearTimeout(timer)
      })
    },
    [Symbol.asyncDispose]: () => stop(child, ended),
  }
}

async function stop(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS)
  await ended
  clearTimeout(timer)
}

function parse(text: string): LogLine | undefined {
  try {
    const line = JSON.parse(text)
    return typeof line?.message === 'string' ? line : undefined
  } catch {
    // A stack, or another program's words: they are among the last words.
    return undefined
  }
}
