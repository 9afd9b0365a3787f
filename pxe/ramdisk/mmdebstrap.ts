/**
 * Runs mmdebstrap so that it leaves nothing: in a process group that ends with this process, with a folder for its
 * temporary files.
 */
import { chmod, mkdir, rm } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { type ExecaError, execa } from 'execa'

export type MmdebstrapOptions = {
  /** For its temporary files: made, and removed when it has ended. */
  temporary: string
  timeout_ms: number
  /** Aborted: it is ended, with all that it started. */
  signal: AbortSignal
  /** Called with what it does now, e.g. "downloading 212 Debian packages (84.5 MB)". */
  tell?: ((doing: string) => void) | undefined
}

const OUTPUT_LIMIT_BYTES = 16 * 1024 * 1024
/** After SIGTERM, at which it unmounts what it has mounted. */
const KILL_AFTER_MS = 10_000

/** Resolves or rejects when all of it has ended. @throws ExecaError, which tells its last words */
export async function runMmdebstrap(args: readonly string[], options: MmdebstrapOptions): Promise<void> {
  const { temporary, timeout_ms } = options
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(timeout_ms)])
  signal.throwIfAborted()
  await mkdir(temporary, { recursive: true })
  // As /tmp: apt fetches and verifies as an account of its own.
  await chmod(temporary, 0o1777)
  // It ends even when this process is killed by SIGKILL.
  const child = execa('setpriv', ['--pdeathsig', 'TERM', 'mmdebstrap', '--verbose', ...args], {
    detached: true,
    stdin: 'ignore',
    maxBuffer: OUTPUT_LIMIT_BYTES,
    env: { TMPDIR: temporary },
  })
  if (options.tell) {
    const read = progressReader(options.tell)
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', read)
  }
  let killing: NodeJS.Timeout | undefined
  const end = () => {
    killGroup(child.pid, 'SIGTERM')
    killing = setTimeout(() => killGroup(child.pid, 'SIGKILL'), KILL_AFTER_MS)
  }
  signal.addEventListener('abort', end, { once: true })
  try {
    await child
  } finally {
    clearTimeout(killing)
    signal.removeEventListener('abort', end)
    killGroup(child.pid, 'SIGKILL')
    await rm(temporary, { recursive: true, force: true })
  }
}

/** Takes mmdebstrap's lines, apt's among them, and tells what they mean for who waits. */
export function progressReader(tell: (doing: string) => void): (line: string) => void {
  let packages = ''
  return (line) => {
    const [, count] = /^\d+ upgraded, (\d+) newly installed/.exec(line) ?? []
    const [, size] = /^Need to get (.+) of archives/.exec(line) ?? []
    const [, stage] = /^I: ((?:running|extracting|installing|configuring|cleaning) .+?)(?:\.\.\.)?$/.exec(line) ?? []
    if (count !== undefined) packages = `${count} Debian packages`
    else if (size !== undefined) tell(`downloading ${packages} (${size})`)
    else if (stage === 'running apt-get update') tell("fetching Debian's lists of packages")
    else if (stage !== undefined) tell(`${stage}${packages && ` (${packages})`}`)
  }
}

/** @returns whether it was the program itself that is not there; setpriv(1) ends with 127 then */
export const isNotInstalled = (error: unknown): boolean => {
  const { code, exitCode } = error as Partial<ExecaError>
  return code === 'ENOENT' || exitCode === 127
}

function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch {
    // All of it has ended.
  }
}
