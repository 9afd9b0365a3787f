/** Runs a program for a plugin: no shell, a clean environment. Nothing that it started outlives it. */
import { mkdir } from 'node:fs/promises'
import { type Confinement, confined } from '@appliance/ground/confine'
import { NO_RESERVE, type Reserve } from '@appliance/ground/reserve'
import { DeployFailure, messageOf } from '../../errors.ts'
import type { Task } from '../../plugin-api/index.ts'
import type { Hidden } from '../parts/parts.ts'
import { endTree, markOf } from './process-tree.ts'

/** Where programs are looked for. */
export const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const CLEAN = {
  PATH: SEARCH_PATH,
  LANG: 'C.UTF-8',
} as const
const OUTPUT_LIMIT = 16 * 1024 * 1024
const TAIL_CHARACTERS = 1000
const KILL_AFTER_MS = 3000
const FOLDER_MODE = 0o750

type Options = NonNullable<Parameters<Task['exec']>[2]>

type By = {
  signal: AbortSignal
  node_uuid: string
  /** Default: nothing is. */
  hidden?: Hidden | undefined
  /** Of the disk of its folders. */
  reserve?: Reserve | undefined
  /** Its own, in what is hidden. */
  folder?: string
}

/**
 * @param by.node_uuid  for whom it runs: a restarted appliance ends what it still finds running for its nodes
 * @throws DeployFailure  with the end of what it wrote to standard error
 */
export async function exec(file: string, args: readonly string[], o: Options, by: By): Promise<{ stdout: string }> {
  // The folder that the appliance was started from may be closed to its account.
  const { cwd = '/', env, timeout_s, onLine, input } = o
  using room = roomFor(file, o, by)
  const signal = AbortSignal.any([by.signal, room.signal])
  const [program, all] = confined(file, args, await rightsOf(o, by))
  // Read when a program is run: execa is a hundred files.
  const { execa } = await import('execa')
  const mark = markOf(by.node_uuid)
  let group: number | undefined
  const tree = { mark, cwd }
  const endAll = () => void endTree(group, tree, KILL_AFTER_MS)
  let isLate = false
  const endLate = () => {
    isLate = true
    endAll()
  }
  const timer = timeout_s === undefined ? undefined : setTimeout(endLate, timeout_s * 1000)
  signal.addEventListener('abort', endAll, { once: true })
  try {
    const running = execa(program, all, {
      cwd,
      env: { ...CLEAN, ...env, ...mark },
      // A process group of its own.
      detached: true,
      extendEnv: false,
      // A program that does not read it to its end is no failure.
      ...(input === undefined ? { stdin: 'ignore' as const } : { input }),
      cancelSignal: signal,
      forceKillAfterDelay: KILL_AFTER_MS,
      maxBuffer: OUTPUT_LIMIT,
      all: true,
    })
    group = running.pid
    if (onLine) for await (const line of running.iterable({ from: 'all' })) onLine(line)
    const { stdout } = await running
    return { stdout }
  } catch (error) {
    signal.throwIfAborted()
    throw new DeployFailure(`${file} failed: ${whyOf(error, isLate ? timeout_s : undefined)}`, { cause: error })
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', endAll)
    await endTree(group, tree, KILL_AFTER_MS)
  }
}

/** A playbook's log, or what a program unpacks, may have no end. */
function roomFor(file: string, { cwd, writes = [] }: Options, { folder, reserve = NO_RESERVE }: By) {
  const folders = [cwd, folder, ...writes].filter((path) => path !== undefined)
  return reserve.watch(
    folders.length > 0 ? folders : ['/tmp'],
    `The program ${file}`,
    (text) => new DeployFailure(text),
  )
}

async function rightsOf({ cwd, env, reads = [], writes = [] }: Options, { hidden, folder }: By): Promise<Confinement> {
  // A rule is about what is there.
  for (const path of writes) await mkdir(path, { recursive: true, mode: FOLDER_MODE })
  return {
    hides: hidden?.paths ?? [],
    // Such as ssh, for connections that it keeps.
    opensUnixSockets: true,
    reads: [...(hidden?.but ?? []), ...reads],
    writes: [cwd, folder, ...writes].filter((path) => path !== undefined),
    search_path: env?.PATH ?? SEARCH_PATH,
  }
}

type Ended = { stderr?: unknown; shortMessage?: string; escapedCommand?: string; exitCode?: number }

/** @param late_s  its time was over then */
function whyOf(error: unknown, late_s: number | undefined): string {
  const { stderr, shortMessage, escapedCommand, exitCode } = error as Ended
  const end = typeof stderr === 'string' ? stderr.trimEnd().slice(-TAIL_CHARACTERS) : ''
  if (end !== '' && exitCode !== undefined && late_s === undefined) return `exit status ${exitCode}: ${end}`
  // Whoever reads it asked for the program, and not for what confines it.
  const found = shortMessage?.replace(`: ${escapedCommand}`, '') ?? messageOf(error)
  const short = late_s === undefined ? found : `Command timed out after ${late_s * 1000} milliseconds`
  return end === '' ? short : `${short}: ${end}`
}
