/**
 * Runs the programs that work on image files: at low priority, with limits, with no file but theirs and no network,
 * killed when nobody wants the result any more.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { type Confinement, confined } from '@appliance/ground/confine'
import { ImageUnacceptable, InsufficientStorage } from '../../errors.ts'

export type Program = {
  file: string
  args: readonly string[]
  /** The paths among its arguments; it reaches no others. */
  reads?: readonly string[]
  writes?: readonly string[]
  /** Open files to read from and write to. */
  stdin?: number
  /** Instead of stdin: a piece is asked for when the one before has been taken. */
  input?: AsyncIterable<Buffer>
  stdout?: number
  /** Each piece of what it says, when stdout is not a file. */
  onOutput?(text: string): void
  limits?: Confinement['limits']
  nice: number
  timeout_s: number
  signal: AbortSignal
  /** What it is about, for messages: "Image http://..." */
  about: string
  /** Exit statuses beside 0 that are an answer, not a failure. */
  answers?: readonly number[]
}

/** The program is not on this box. */
export class NotInstalled extends ImageUnacceptable {}

const ERROR_LIMIT_CHARACTERS = 600

/** @returns its exit status. @throws NotInstalled, InsufficientStorage, ImageUnacceptable */
export async function runProgram(program: Program): Promise<number> {
  const { input, signal, timeout_s } = program
  signal.throwIfAborted()
  const deadline = AbortSignal.timeout(timeout_s * 1000)
  const { file, args, reads = [], writes = [], limits = {}, nice } = program
  const running = spawn(...confined(file, args, { reads, writes, limits, nice, isOffline: true }), {
    cwd: '/',
    env: { PATH: process.env.PATH, LC_ALL: 'C', MALLOC_ARENA_MAX: '3' },
    stdio: [input ? 'pipe' : (program.stdin ?? 'ignore'), program.stdout ?? 'pipe', 'pipe'],
    signal: AbortSignal.any([signal, deadline]),
    // Whatever it has written is thrown away.
    killSignal: 'SIGKILL',
  })
  const said = tailOf(running.stderr)
  running.stdout?.setEncoding('utf8').on('data', (text: string) => program.onOutput?.(text))
  const fed = input && running.stdin ? feed(running.stdin, input) : undefined
  // What the program says of its end explains more than a broken pipe does.
  fed?.catch(() => running.kill('SIGKILL'))
  const end = await endOf(running)
  signal.throwIfAborted()
  if (end.code === 0 || (typeof end.code === 'number' && program.answers?.includes(end.code))) {
    await fed
    return end.code
  }
  throw failureOf(program, { ...end, said: said(), timedOut: deadline.aborted })
}

type End = { code: number | string | null; killedBy: string | null }

/** Never rejects: what could not be started ends, too. */
function endOf(running: ChildProcess): Promise<End> {
  return new Promise((resolve) => {
    running.once('error', (error: NodeJS.ErrnoException) => {
      // After an abort the end itself is still to come.
      if (running.pid === undefined) resolve({ code: error.code ?? 'ERROR', killedBy: null })
    })
    running.once('close', (code, killedBy) => resolve({ code, killedBy }))
  })
}

function tailOf(stream: Readable | null): () => string {
  let tail = ''
  stream?.setEncoding('utf8').on('data', (text: string) => {
    tail = (tail + text).slice(-ERROR_LIMIT_CHARACTERS)
  })
  return () => tail.trim()
}

function failureOf({ file, about, timeout_s }: Program, end: End & { said: string; timedOut: boolean }): Error {
  const { code, killedBy, said, timedOut } = end
  if (code === 127 || code === 'ENOENT') {
    return new NotInstalled(`${file} is not installed on the appliance: apt install ${PACKAGES[file] ?? file}.`)
  }
  if (/no space left on device|disk quota exceeded/i.test(said)) {
    return new InsufficientStorage(
      `${about} does not fit: ${file} says that there is no space left in the image cache ([pxe] instance_master_path). Free some.`,
    )
  }
  const how = timedOut
    ? `took longer than ${timeout_s} s`
    : (LIMIT_SIGNALS[killedBy ?? ''] ??
      `failed: ${said || (killedBy ? `killed by ${killedBy}` : `exit status ${code}`)}`)
  return new ImageUnacceptable(`${about} cannot be used: ${file} ${how}.`)
}

/** @throws what `input` throws; a program that takes no more is not an error here */
async function feed(stdin: Writable, input: AsyncIterable<Buffer>): Promise<void> {
  const gone = new Promise<boolean>((resolve) => {
    stdin.once('close', () => resolve(false)).on('error', () => resolve(false))
  })
  for await (const piece of input) {
    const taken = new Promise<boolean>((resolve) => stdin.write(piece, (error) => resolve(!error)))
    if (!(await Promise.race([taken, gone]))) return
  }
  stdin.end()
}

const PACKAGES: Readonly<Record<string, string>> = { 'qemu-img': 'qemu-utils' }
const LIMIT_SIGNALS: Readonly<Record<string, string>> = {
  SIGXCPU: 'took more processor time than an honest image needs',
  SIGXFSZ: 'wrote more than the size of the virtual disk',
}
