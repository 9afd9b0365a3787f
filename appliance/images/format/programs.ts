/** Runs the programs that work on image files: at low priority, with limits, killed when nobody wants the result any more. */
import { execa } from 'execa'
import { ImageUnacceptable, InsufficientStorage } from '../../errors.ts'

export type Program = {
  file: string
  args: readonly string[]
  /** Open files to read from and write to. */
  stdin?: number
  stdout?: number
  /** Each piece of what it says, when stdout is not a file. */
  onOutput?(text: string): void
  limits?: { address_space_bytes: number; cpu_s: number; file_bytes: number }
  nice: number
  timeout_s: number
  signal: AbortSignal
  /** What it is about, for messages: "Image http://..." */
  about: string
}

/** The program is not on this box. */
export class NotInstalled extends ImageUnacceptable {}

const ERROR_LIMIT_CHARACTERS = 600

/** @throws NotInstalled, InsufficientStorage, ImageUnacceptable */
export async function runProgram(program: Program): Promise<void> {
  const { file, limits, signal, about } = program
  const [command, ...args] = [...limitsOf(limits), 'nice', '-n', String(program.nice), file, ...program.args]
  const running = execa(command ?? file, args, {
    env: { LC_ALL: 'C', MALLOC_ARENA_MAX: '3' },
    stdin: program.stdin ?? 'ignore',
    stdout: program.stdout ?? 'pipe',
    stderr: 'pipe',
    buffer: { stdout: false, stderr: true },
    maxBuffer: 64 * 1024,
    reject: false,
    timeout: program.timeout_s * 1000,
    cancelSignal: signal,
    forceKillAfterDelay: 500,
  })
  running.stdout?.setEncoding('utf8').on('data', (text: string) => program.onOutput?.(text))
  const result = await running
  signal.throwIfAborted()
  if (!result.failed) return
  const said = String(result.stderr ?? '')
    .trim()
    .slice(-ERROR_LIMIT_CHARACTERS)
  if (result.exitCode === 127 || result.code === 'ENOENT')
    throw new NotInstalled(`${file} is not installed on the appliance: apt install ${PACKAGES[file] ?? file}.`)
  if (/no space left on device|disk quota exceeded/i.test(said)) {
    throw new InsufficientStorage(
      `${about} does not fit: ${file} says that there is no space left in the image cache ([pxe] instance_master_path). Free some.`,
    )
  }
  const how = result.timedOut
    ? `took longer than ${program.timeout_s} s`
    : (LIMIT_SIGNALS[result.signal ?? ''] ?? `failed: ${said || result.shortMessage}`)
  throw new ImageUnacceptable(`${about} cannot be used: ${file} ${how}.`)
}

const PACKAGES: Readonly<Record<string, string>> = { 'qemu-img': 'qemu-utils' }
const LIMIT_SIGNALS: Readonly<Record<string, string>> = {
  SIGXCPU: 'took more processor time than an honest image needs',
  SIGXFSZ: 'wrote more than the size of the virtual disk',
}

function limitsOf(limits: Program['limits']): string[] {
  if (limits === undefined) return []
  const { address_space_bytes, cpu_s, file_bytes } = limits
  return ['prlimit', `--as=${address_space_bytes}`, `--cpu=${cpu_s}`, `--fsize=${file_bytes}`, '--core=0', '--']
}
