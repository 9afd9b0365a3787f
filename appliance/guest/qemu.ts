/** A guest as a QEMU process. It has no rights, no network but the mirror, and ends with the appliance. */
import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants, existsSync, statSync, writeFileSync } from 'node:fs'
import { availableParallelism, setPriority } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { type Confinement, confined, NOBODY } from '@appliance/ground/confine'
import { plainText } from '@appliance/ground/plain-text'
import { messageOf } from '../errors.ts'
import { GuestFailure } from './failure.ts'
import type { GuestFiles } from './files.ts'
import { guestMirror } from './mirror-address.ts'

/** Where the mirror listens. */
export type MirrorAddress = {
  host: string
  port: number
  /** The port by which guests call the mirror; left out: the one on which it listens. */
  called_port?: number
}
export type Accelerator = 'kvm' | 'tcg' | undefined
export type QemuOptions = {
  files: GuestFiles
  memory_mib: number
  timeout_s: number
  silence_s: number
  mirror: MirrorAddress | undefined
  accelerator: Accelerator
  signal: AbortSignal
  /** @returns whether the guest has reported all that it has to report */
  onReport(bytes: Buffer): boolean
}
export type Ended = {
  /** `ended with code 1`, `did not end within 60 s` */
  how: string
  /** The last lines of its first serial line. */
  console: string
  /**
   * /dev/kvm is there and does not work, as inside of some virtual machines: the guest has not run, or it stood
   * still.
   */
  kvm_failed: boolean
}

const PROGRAM = 'qemu-system-x86_64'
const KVM = '/dev/kvm'
const RELAY = join(import.meta.dirname, 'relay')
const KVM_FAILURE = /KVM internal error|Could not access KVM|failed to initialize kvm|KVM: entry failed/i
const CONSOLE_LIMIT = 16 * 1024
/** Machines that are being served come first. */
const NICE = 10
const PROCESSORS_LIMIT = 4
/**
 * QEMU starts the relay in a session of its own, which counts as elevation. It has no privileges to elevate: see
 * rightsOf().
 */
const RELAY_SANDBOX = 'elevateprivileges=allow'
/** How long a guest may take to switch itself off after its result. */
const LEAVING_MS = 10_000
/** The group may read and write. */
const GROUP_BITS = 0o060
/** The first descriptor of QEMU's files: it follows standard input, output and error. */
const CONSOLE_FD = 3
const REPORT_FD = 4
const KERNEL_FD = 5
const INITRD_FD = 6
const FIRST_DISK_FD = 7

/** The memory for translated code where there is no KVM: the default of QEMU is 1 GiB beside the guest's own memory. */
const TRANSLATED_MIB = 256

/** Looks only whether /dev/kvm is there; whether it works shows when a guest runs. */
export function acceleratorOfThisBox(): Accelerator {
  if (process.arch !== 'x64' || !isInstalled()) return undefined
  return canUseKvm() ? 'kvm' : 'tcg'
}

const isInstalled = () => (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, PROGRAM)))

/** The group of /dev/kvm: root's own rights are not handed on. */
function canUseKvm(): boolean {
  const found = statSync(KVM, { throwIfNoEntry: false })
  if (!found) return false
  if (process.getuid?.() === 0) return (found.mode & GROUP_BITS) === GROUP_BITS
  try {
    accessSync(KVM, constants.R_OK | constants.W_OK)
    return true
  } catch {
    // The appliance is not in that group.
    return false
  }
}

/** Resolves when the process is gone. @throws GuestFailure  it could not be started; signal's reason */
export async function runQemu(options: QemuOptions): Promise<Ended> {
  const { files, signal, onReport, accelerator } = options
  signal.throwIfAborted()
  if (!accelerator) throw notHere()
  const args = qemuArguments(options, accelerator)
  const child = spawn(...confined(PROGRAM, args, rightsOf(accelerator, options.mirror)), {
    stdio: [
      'ignore',
      'ignore',
      'pipe',
      'pipe',
      'pipe',
      ...[files.kernel, files.initrd, ...files.disks.flat()].map(({ fd }) => fd),
    ],
    cwd: '/',
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin' },
  })
  const console = keepEnd(child.stdio[CONSOLE_FD] as Duplex, CONSOLE_LIMIT)
  const complaint = keepEnd(child.stderr as unknown as Duplex, CONSOLE_LIMIT)
  const report = child.stdio[REPORT_FD] as Duplex
  let leaving: NodeJS.Timeout | undefined
  const watch = watchTime(child, options)
  report.on('data', (bytes: Buffer) => {
    watch.heard()
    if (onReport(bytes)) leaving ??= setTimeout(() => child.kill('SIGKILL'), LEAVING_MS)
  })
  report.on('error', () => {})
  let kvm_failed = false
  child.stderr?.on('data', () => {
    kvm_failed ||= accelerator === 'kvm' && KVM_FAILURE.test(complaint())
    // QEMU would otherwise stand still for ever.
    if (kvm_failed) child.kill('SIGKILL')
  })
  const how = await ending(child, signal)
  clearTimeout(leaving)
  const late = watch.end()
  signal.throwIfAborted()
  const said = plainText(complaint(), CONSOLE_LIMIT)
  return { how: late ?? (said ? `${how} (${said.slice(-500)})` : how), console: console(), kvm_failed }
}

const notHere = () =>
  new GuestFailure(
    process.arch === 'x64'
      ? `Virtual machines cannot run on this box: the program ${PROGRAM} is not installed. Install the Debian package qemu-system-x86.`
      : `Virtual machines for this are known on x64 boxes only, and this one is ${process.arch}.`,
  )

/** The appliance may be root; a virtual machine of strangers is nobody, who may use KVM and its own files at most. */
function rightsOf(accelerator: Exclude<Accelerator, undefined>, mirror: MirrorAddress | undefined): Confinement {
  const kvm = accelerator === 'kvm' ? statSync(KVM, { throwIfNoEntry: false }) : undefined
  return {
    reads: [`/dev/fd/${KERNEL_FD}`, `/dev/fd/${INITRD_FD}`, ...(mirror ? [RELAY] : [])],
    writes: kvm ? [KVM] : [],
    isOffline: mirror === undefined,
    account: { ...NOBODY, groups: kvm ? [kvm.gid] : [] },
  }
}

/** One processor without KVM: see test/rack/steel/machine.ts, a second one panics now and then. */
function qemuArguments(
  { files, memory_mib, mirror }: Pick<QemuOptions, 'files' | 'memory_mib' | 'mirror'>,
  accelerator: Exclude<Accelerator, undefined>,
): string[] {
  const processors = accelerator === 'kvm' ? Math.min(PROCESSORS_LIMIT, availableParallelism()) : 1
  const emulated = ['-accel', `tcg,thread=multi,tb-size=${TRANSLATED_MIB}`]
  const machine = [...(accelerator === 'kvm' ? ['-accel', 'kvm'] : []), ...emulated, '-cpu', 'max']
  return [
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-machine', 'q35,graphics=off', ...machine],
    ...['-smp', String(processors), '-m', String(memory_mib)],
    ...[
      '-sandbox',
      `on,obsolete=deny,resourcecontrol=deny,${mirror ? RELAY_SANDBOX : 'elevateprivileges=deny,spawn=deny'}`,
    ],
    ...['-kernel', `/dev/fd/${KERNEL_FD}`, '-initrd', `/dev/fd/${INITRD_FD}`],
    ...['-append', `${files.kernel_params} rackstrap-guest=1 panic=-1 no_timer_check`],
    ...['-chardev', `socket,id=console,fd=${CONSOLE_FD}`, '-serial', 'chardev:console'],
    ...['-chardev', `socket,id=report,fd=${REPORT_FD}`, '-serial', 'chardev:report'],
    ...files.disks.flatMap((_, index) => diskArguments(index)),
    ...(mirror ? networkArguments(mirror) : []),
    ...['-device', 'virtio-rng-pci'],
  ]
}

/**
 * The content of the disks counts only when all went well, and is synced then: no flush of the guest needs to wait.
 * Each disk has two descriptors: QEMU looks at a disk before it opens it for writing, and takes the one that fits.
 */
function diskArguments(index: number): string[] {
  const set = index + 1
  const [write, read] = [FIRST_DISK_FD + 2 * index, FIRST_DISK_FD + 2 * index + 1]
  const options = 'if=none,format=raw,discard=unmap,detect-zeroes=unmap,cache=unsafe'
  return [
    ...['-add-fd', `fd=${write},set=${set}`, '-add-fd', `fd=${read},set=${set}`],
    ...['-drive', `id=disk${index},file=/dev/fdset/${set},${options}`],
    ...['-device', `virtio-blk-pci,drive=disk${index}`],
  ]
}

function networkArguments({ host, port, called_port = port }: MirrorAddress): string[] {
  const relay = `'${RELAY.replaceAll("'", `'\\''`)}' ${host} ${port}`
  const forward = `guestfwd=tcp:${guestMirror(called_port)}-cmd:${relay}`.replaceAll(',', ',,')
  return ['-netdev', `user,id=wire,restrict=on,ipv6=off,${forward}`, '-device', 'virtio-net-pci,netdev=wire']
}

function keepEnd(stream: Duplex, limit: number): () => string {
  let text = ''
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string) => {
    text = (text + chunk).slice(-limit)
  })
  // The other side has closed it: QEMU is gone, which its exit reports.
  stream.on('error', () => {})
  return () => text
}

/** A stranger's code may have killed the agent, or may keep it from reporting. */
function watchTime(child: ChildProcess, { timeout_s, silence_s }: Pick<QemuOptions, 'timeout_s' | 'silence_s'>) {
  let late: string | undefined
  const killAfter = (seconds: number, why: string) =>
    setTimeout(() => {
      late ??= why
      child.kill('SIGKILL')
    }, seconds * 1000)
  const whole = killAfter(timeout_s, `did not end within ${timeout_s} s`)
  const silence = killAfter(silence_s, `told nothing for ${silence_s} s`)
  return {
    heard: () => void silence.refresh(),
    end() {
      for (const timer of [whole, silence]) clearTimeout(timer)
      return late
    },
  }
}

async function ending(child: ChildProcess, signal: AbortSignal): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  child.once('error', (error) => resolve(`could not be started: ${messageOf(error)}`))
  child.once('close', (code, by) => resolve(by ? `was ended by ${by}` : `ended with code ${code}`))
  lower(child)
  const kill = () => child.kill('SIGKILL')
  signal.addEventListener('abort', kill, { once: true })
  const how = await promise
  signal.removeEventListener('abort', kill)
  return how
}

function lower({ pid }: ChildProcess): void {
  try {
    if (pid === undefined) return
    setPriority(pid, NICE)
    // QEMU is the first to go when memory runs out.
    writeFileSync(`/proc/${pid}/oom_score_adj`, '1000')
  } catch {
    // QEMU is gone already, or the file may not be written: neither is a reason to stop.
  }
}
