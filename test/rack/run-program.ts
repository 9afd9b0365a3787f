/** Runs one program to its end, with a deadline and an end on request. Never lets it outlive its caller. */
import { spawn } from 'node:child_process'
import { basename } from 'node:path'

export type RunOptions = {
  signal?: AbortSignal
  /** Ten minutes when left out. */
  timeout_s?: number
  cwd?: string
  env?: NodeJS.ProcessEnv
  input?: string
  /** Every chunk of stdout and stderr as it comes. */
  onOutput?: (text: string) => void
}

/** The program could not be started, failed, or did not end in time; the message holds its last words. */
export class CommandFailed extends Error {
  readonly stdout: string
  readonly stderr: string
  constructor(message: string, stdout: string, stderr: string) {
    super(message)
    this.stdout = stdout
    this.stderr = stderr
  }
}

const DEFAULT_TIMEOUT_S = 600
/** After a polite SIGTERM. */
const KILL_AFTER_MS = 5_000
const LAST_WORDS = 400

/**
 * The program gets a process group of its own, so that an end reaches all it started, and Ctrl-C is handled by the
 * caller alone.
 * @returns what it wrote to stdout
 * @throws CommandFailed
 */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { cwd, env, input, onOutput, timeout_s = DEFAULT_TIMEOUT_S } = options
  const deadline = AbortSignal.timeout(timeout_s * 1000)
  const signal = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline
  return new Promise((resolve, reject) => {
    const output = { stdout: '', stderr: '' }
    const fail = (why: string) =>
      reject(new CommandFailed(`${basename(command)} ${why}${lastWords(output)}`, output.stdout, output.stderr))
    if (signal.aborted) return fail('was not started: the rack is being ended')
    const child = spawn(command, args, { cwd, env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] })
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        output[name] += text
        onOutput?.(text)
      })
    }
    const stop = () => endGroup(child.pid)
    signal.addEventListener('abort', stop, { once: true })
    child.stdin.on('error', () => {}).end(input)
    child.once('error', (error) => fail(`could not be started (${error.message})`))
    child.once('close', (code, killedBy) => {
      signal.removeEventListener('abort', stop)
      if (code === 0) resolve(output.stdout)
      else if (options.signal?.aborted) fail('was stopped: the rack is being ended')
      else if (deadline.aborted) fail(`did not end within ${timeout_s} s`)
      else fail(`ended with ${code === null ? killedBy : `status ${code}`}`)
    })
  })
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return
  killGroup(pid, 'SIGTERM')
  setTimeout(() => killGroup(pid, 'SIGKILL'), KILL_AFTER_MS).unref()
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch {
    // It has ended by itself.
  }
}

function lastWords({ stdout, stderr }: { stdout: string; stderr: string }): string {
  const words = (stderr.trim() || stdout.trim()).slice(-LAST_WORDS)
  return words === '' ? '' : `: ${words}`
}
