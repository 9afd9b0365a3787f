/**
 * Runs one function of one module in a process of its own, with limits of time and memory and next to no rights: for
 * bytes that a stranger wrote. A thread would not do: what V8 runs out of there ends the whole process, and what it
 * allocates beside its heap has no limit at all. Nothing of it is there while nobody needs it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { Order } from './apart-child.ts'
import { confined } from './confine.ts'

/** What a module that runs apart exports as `act`. Both sides are JSON. */
export type Act = (order: never, given: ApartGiven) => unknown
/** `files`: descriptors, to be read by position. */
export type ApartGiven = { files: readonly number[]; input: Buffer }
export type Apart<A extends Act> = {
  /** URL of the module. */
  module: URL
  order: Parameters<A>[0]
  /** Open for reading. The caller closes them afterwards. */
  files?: readonly FileHandle[]
  input?: Uint8Array
  /** Of all that it allocates, and of the heap alone. */
  memory_bytes: number
  deadline_ms: number
  answer_bytes?: number
  signal?: AbortSignal
}

/** `refused`: the function threw; the message is its own. Of limits the message has no subject: "takes longer than". */
export class ApartFailure extends Error {
  readonly why: 'refused' | 'time' | 'memory' | 'answer' | 'crashed'

  constructor(why: ApartFailure['why'], message: string, cause?: unknown) {
    super(message, { cause })
    this.why = why
  }
}

const CHILD = join(import.meta.dirname, 'apart-child.ts')
/** All code of ours lies below. */
const HOUSE = join(import.meta.dirname, '../..')
const MIB = 1024 * 1024
/** Node 24 has so much before it does anything, nearly all of it reserved for code and never touched. */
const NODE_DATA_BYTES = 620 * MIB
const ANSWER_LIMIT_BYTES = MIB
const SAID_LIMIT = 4_000
const NICE = 5

/** @throws ApartFailure; signal's reason */
export async function runApart<A extends Act>(work: Apart<A>): Promise<Awaited<ReturnType<A>>> {
  const { signal, deadline_ms, answer_bytes = ANSWER_LIMIT_BYTES } = work
  signal?.throwIfAborted()
  const deadline = AbortSignal.timeout(Math.ceil(deadline_ms))
  const child = start(work, AbortSignal.any([deadline, ...(signal ? [signal] : [])]))
  const answer = gather(child.stdout, answer_bytes, () => child.kill('SIGKILL'))
  const said = gather(child.stderr, SAID_LIMIT)
  // A child that ended early says so by its exit.
  child.stdin?.on('error', () => {}).write(`${JSON.stringify(orderOf(work))}\n`)
  child.stdin?.end(work.input)
  const end = await endOf(child)
  signal?.throwIfAborted()
  if (deadline.aborted || end.killedBy === 'SIGXCPU') throw tooLong(deadline_ms)
  if (answer.isFull()) throw new ApartFailure('answer', `brings more than ${answer_bytes} bytes`)
  if (end.code === 0) return valueIn<Awaited<ReturnType<A>>>(answer.text())
  throw failureOf(end, said.text(), work)
}

const orderOf = ({ module, order, files = [] }: Apart<Act>): Order => ({
  module: module.href,
  order,
  files: files.length,
})

function start({ memory_bytes, deadline_ms, files = [] }: Apart<Act>, signal: AbortSignal): ChildProcess {
  const cpu_s = Math.ceil(deadline_ms / 1000) + 1
  const rights = { reads: [HOUSE, process.execPath], isOffline: true, limits: { cpu_s, file_bytes: 0 }, nice: NICE }
  const node = [
    ...['--permission', `--allow-fs-read=${join(HOUSE, '/')}`, '--no-warnings'],
    `--max-old-space-size=${Math.ceil(memory_bytes / MIB)}`,
    CHILD,
  ]
  const limited = [`--data=${NODE_DATA_BYTES + memory_bytes}`, '--', process.execPath, ...node]
  return spawn(...confined('prlimit', limited, rights), {
    ...{ cwd: '/', env: {}, signal, killSignal: 'SIGKILL' },
    stdio: ['pipe', 'pipe', 'pipe', ...files.map(({ fd }) => fd)],
  })
}

function gather(stream: NodeJS.ReadableStream | null, limit_bytes: number, onFull = () => {}) {
  const chunks: Buffer[] = []
  let bytes = 0
  stream?.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= limit_bytes) chunks.push(chunk)
    else onFull()
  })
  return { text: () => Buffer.concat(chunks).toString(), isFull: () => bytes > limit_bytes }
}

type End = { code: number | null; killedBy: string | null; error?: Error }

/** Never rejects: what could not be started ends, too. */
function endOf(child: ChildProcess): Promise<End> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      // After an abort the end itself is still to come.
      if (child.pid === undefined) resolve({ code: null, killedBy: null, error })
    })
    child.once('close', (code, killedBy) => resolve({ code, killedBy }))
  })
}

function valueIn<T>(text: string): T {
  const told = JSON.parse(text) as { value: T } | { refused: string }
  if ('refused' in told) throw new ApartFailure('refused', told.refused)
  return told.value
}

const tooLong = (deadline_ms: number) =>
  new ApartFailure('time', `takes longer than ${Math.ceil(deadline_ms / 1000)} s`)

/** V8 and malloc end a process that gets no more memory, each in a way of its own; so does the kernel. */
function failureOf({ code, killedBy, error }: End, said: string, { memory_bytes }: Apart<Act>): ApartFailure {
  if (killedBy || /out of memory|allocation failed|bad_alloc|ENOMEM/i.test(said))
    return new ApartFailure('memory', `needs more than ${Math.floor(memory_bytes / MIB)} MiB of memory`)
  const reason = error?.message ?? (said.trim().slice(-300) || `exit status ${code}`)
  return new ApartFailure('crashed', `ended before its time: ${reason}`, error)
}
