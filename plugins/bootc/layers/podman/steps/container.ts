/** The image's own `bootc install to-disk`: its arguments, and how far it is. */
import type { StepAgent, StepContext, StepDisk } from '@appliance/pxe/agent-api'
import type { InstallArguments } from './arguments.ts'
import { writtenToPartitions } from './counters.ts'
import { runInContainer } from './podman-run.ts'
import { sampling } from './sampling.ts'
import { rootMib, type Scratch } from './scratch.ts'

type Installing = { agent: StepAgent; context: StepContext; disk: StepDisk; scratch: Scratch }

const SAMPLE_MS = 1000
const STUCK_MS = 15 * 60_000
/** What is written beside the image's own files: boot loader, kernels, ostree's records. */
const OVERHEAD = 1.1

/**
 * As upstream's agent has it, but for what an install from a mirror needs: the canonical name, and both boot methods.
 */
export function bootcCommand(args: InstallArguments, disk: StepDisk, root_mib: number | undefined): string[] {
  return [
    ...['bootc', 'install', 'to-disk', '--wipe', '--skip-fetch-check', '--generic-image'],
    // This kernel runs without SELinux; bootc refuses an image that has a policy otherwise.
    ...['--disable-selinux', '--target-imgref', args.reference.replace(/@.*$/, '')],
    ...(args.tpm2_luks ? ['--block-setup=tpm2-luks'] : []),
    ...(root_mib === undefined ? [] : [`--root-size=${root_mib}M`]),
    disk.name,
  ]
}

/** @throws Error  the last telling line of podman or bootc */
export async function runInstall({ agent, context, disk, scratch }: Installing, args: InstallArguments): Promise<void> {
  let line = 'starting bootc'
  let last = { line, written: 0, at: performance.now() }
  const total = Math.round((await scratch.usedBytes()) * OVERHEAD)
  const stuck = new AbortController()
  const root_mib = args.scratch === 'target' ? rootMib(scratch.start_bytes, args.tpm2_luks) : undefined
  await using _ = sampling(SAMPLE_MS, async () => {
    const written = await writtenToPartitions(agent.root, disk.name)
    if (line !== last.line || written !== last.written) last = { line, written, at: performance.now() }
    if (performance.now() - last.at > STUCK_MS) stuck.abort(new Error('it said and wrote nothing for 15 minutes'))
    context.progress({ note: `installing: ${line}`, done: Math.min(written, total), total, unit: 'bytes' })
  })
  const onLine = (text: string) => {
    line = text
  }
  const running = { timeout_s: args.timeout_s, signal: stuck.signal, onLine }
  await runInContainer(agent, args, bootcCommand(args, disk, root_mib), running).catch((cause: Error) => {
    throw new Error(`bootc of ${args.reference} did not install to ${disk.name}: ${cause.message}`, { cause })
  })
}
