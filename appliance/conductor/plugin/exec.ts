/** Runs a program for a plugin: no shell, a clean environment. Nothing that it started outlives it. */
import { DeployFailure, messageOf } from '../../errors.ts'
import type { Task } from '../../plugin-api/index.ts'
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

type Options = NonNullable<Parameters<Task['exec']>[2]>

/**
 * @param by.node_uuid  for whom it runs: a restarted appliance ends what it still finds running for its nodes
 * @throws DeployFailure  with the end of what it wrote to standard error
 */
export async function exec(
  file: string,
  args: readonly string[],
  o: Options,
  { signal, node_uuid }: { signal: AbortSignal; node_uuid: string },
): Promise<{ stdout: string }> {
  // The folder that the appliance was started from may be closed to its account.
  const { cwd = '/', env, timeout_s, onLine, input } = o
  // Read when a program is run: execa is a hundred files.
  const { execa } = await import('execa')
  const mark = markOf(node_uuid)
  let group: number | undefined
  const tree = { mark, cwd }
  const endAll = () => void endTree(group, tree, KILL_AFTER_MS)
  const timer = timeout_s === undefined ? undefined : setTimeout(endAll, timeout_s * 1000)
  signal.addEventListener('abort', endAll, { once: true })
  try {
    const running = execa(file, args, {
      cwd,
      ...(timeout_s === undefined ? {} : { timeout: timeout_s * 1000 }),
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
    throw new DeployFailure(`${file} failed: ${whyOf(error)}`, { cause: error })
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', endAll)
    await endTree(group, tree, KILL_AFTER_MS)
  }
}

function whyOf(error: unknown): string {
  const { stderr, shortMessage, exitCode } = error as { stderr?: unknown; shortMessage?: string; exitCode?: number }
  const end = typeof stderr === 'string' ? stderr.trimEnd().slice(-TAIL_CHARACTERS) : ''
  if (end !== '' && exitCode !== undefined) return `exit status ${exitCode}: ${end}`
  return end === '' ? (shortMessage ?? messageOf(error)) : `${shortMessage ?? messageOf(error)}: ${end}`
}
