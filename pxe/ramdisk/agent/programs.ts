/** Runs the ramdisk's programs, each with a deadline. They are looked up below the agent's root. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { RunOptions, StepPrograms } from '../../agent-api.ts'
import { messageOf } from './errors.ts'

export type Programs = StepPrograms

const STANDARD_TIMEOUT_S = 60
const OUTPUT_LIMIT_BYTES = 8 * 1024 * 1024
const COMPLAINT_LIMIT = 4096
const LINE_LIMIT = 4096
/** Whoever else holds its output open (a process that left its group) is not waited for. */
const OUTPUT_DEADLINE_MS = 1000

export function createPrograms(root: string): Programs {
  return {
    async run(name, args, o = {}) {
      const timeout_s = o.timeout_s ?? STANDARD_TIMEOUT_S
      o.signal?.throwIfAborted()
      const file = join(root, 'usr/bin', name)
      const sbin = join(root, 'usr/sbin', name)
      const child = spawn(!existsSync(file) && existsSync(sbin) ? sbin : file, args, {
        detached: true,
        stdio: [o.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
        env: { ...process.env, ...o.env },
      })
      const outcome = await watch(child, timeout_s, o)
      o.signal?.throwIfAborted()
      if (outcome.code === 0) return outcome.stdout
      throw new Error(`${[name, ...args].join(' ')}: ${outcome.reason}`, { cause: outcome.error })
    },
  }
}

type Outcome = { code: number | null; stdout: string; reason: string; error?: unknown }

async function watch(child: ChildProcess, timeout_s: number, o: RunOptions): Promise<Outcome> {
  let late = false
  const kill = () => killAll(child)
  const timer = setTimeout(() => {
    late = true
    kill()
  }, timeout_s * 1000)
  o.signal?.addEventListener('abort', kill, { once: true })
  const [stdout, stderr] = [collect(child.stdout, OUTPUT_LIMIT_BYTES), collect(child.stderr, COMPLAINT_LIMIT, 'end')]
  const lines = o.onLine
  if (lines) {
    eachLine(child.stdout, (line) => lines(line, 'stdout'))
    eachLine(child.stderr, (line) => lines(line, 'stderr'))
  }
  // A program that does not read its input is no error.
  child.stdin?.on('error', () => {})
  child.stdin?.end(o.input)
  try {
    const { code, signal, error } = await ended(child)
    const told = late ? `did not end within ${timeout_s} s` : stderr().trim()
    const reason = told || (error ? messageOf(error) : signal ? `was ended by ${signal}` : `ended with code ${code}`)
    return { code: late ? null : code, stdout: stdout(), reason, error }
  } finally {
    clearTimeout(timer)
    o.signal?.removeEventListener('abort', kill)
  }
}

/** It and what it started, but for those that made a group of their own. */
function killAll({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended by itself just now.
  }
}

type End = { code: number | null; signal: NodeJS.Signals | null; error?: unknown }

function ended(child: ChildProcess): Promise<End> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: null, signal: null, error }))
    child.once('close', (code, signal) => resolve({ code, signal }))
    child.once('exit', (code, signal) => setTimeout(resolve, OUTPUT_DEADLINE_MS, { code, signal }).unref())
  })
}

/** @returns what there is of it so far: the first `limit` characters, or the last ones */
function collect(stream: Readable | null, limit: number, keep: 'begin' | 'end' = 'begin'): () => string {
  let text = ''
  stream?.setEncoding('utf8').on('data', (chunk: string) => {
    if (keep === 'end') text = (text + chunk).slice(-limit)
    else if (text.length < limit) text += chunk.slice(0, limit - text.length)
  })
  return () => text
}

function eachLine(stream: Readable | null, onLine: (line: string) => void): void {
  let rest = ''
  const tell = (line: string) => {
    if (line !== '') onLine(line)
  }
  stream?.on('data', (chunk: string) => {
    const lines = (rest + chunk).split(/[\r\n]+/)
    rest = (lines.pop() ?? '').slice(0, LINE_LIMIT)
    for (const line of lines) tell(line.slice(0, LINE_LIMIT))
  })
  stream?.once('end', () => tell(rest))
}
