/** Runs the image's own `bootc install to-disk`, the tenant's code as root on the tenant's steel. Nothing that it started outlives it. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { StepAgent, StepContext, StepDisk } from '@appliance/pxe/agent-api'
import type { InstallArguments } from './arguments.ts'
import { writtenToPartitions } from './counters.ts'
import { pulledName } from './pull.ts'
import { createSaid } from './said.ts'
import { sampling } from './sampling.ts'
import { rootMib, type Scratch } from './scratch.ts'

type Installing = { agent: StepAgent; context: StepContext; disk: StepDisk; scratch: Scratch }

const NAME = 'rackstrap-bootc'
/** crun's, with podman's cgroupfs manager: all containers are below it. */
const CGROUP = 'sys/fs/cgroup/libpod_parent'
/** A fork bomb ends there, and the agent goes on. */
const PROCESSES_LIMIT = 4096
const SAMPLE_MS = 1000
const STUCK_MS = 15 * 60_000
const CLEAN_UP_TIMEOUT_S = 120
/** What is written beside the image's own files: boot loader, kernels, ostree's records. */
const OVERHEAD = 1.1

/** As upstream's agent has it, but for what an install from a mirror needs: the canonical name, both boot methods, no network. */
export function containerCommand(
  args: InstallArguments,
  disk: Pick<StepDisk, 'name'>,
  root_mib: number | undefined,
): string[] {
  return [
    ...['run', '--rm', '--name', NAME, '--privileged', '--pid=host', '--network=none', '--pull=never'],
    ...['--pids-limit', String(PROCESSES_LIMIT), '-v', '/var/lib/containers:/var/lib/containers', '-v', '/dev:/dev'],
    ...[pulledName(args), 'bootc', 'install', 'to-disk', '--wipe', '--skip-fetch-check', '--generic-image'],
    // This kernel runs without SELinux; bootc refuses an image that has a policy otherwise.
    ...['--disable-selinux', '--target-imgref', args.reference.replace(/@.*$/, '')],
    ...(args.tpm2_luks ? ['--block-setup=tpm2-luks'] : []),
    ...(root_mib === undefined ? [] : [`--root-size=${root_mib}M`]),
    disk.name,
  ]
}

/** @throws Error  the last telling line of podman or bootc */
export async function runInstall({ agent, context, disk, scratch }: Installing, args: InstallArguments): Promise<void> {
  const said = createSaid()
  let line = 'starting bootc'
  let last = { line, written: 0, at: performance.now() }
  const total = Math.round((await scratch.usedBytes()) * OVERHEAD)
  const stuck = new AbortController()
  const root_mib = args.scratch === 'target' ? rootMib(scratch.start_bytes, args.tpm2_luks) : undefined
  await using _ = sampling(SAMPLE_MS, async () => {
    const written = await writtenToPartitions(agent.root, disk.name)
    if (line !== last.line || written !== last.written) last = { line, written, at: performance.now() }
    if (performance.now() - last.at > STUCK_MS) stuck.abort(new Error('stuck'))
    context.progress({ note: `installing: ${line}`, done: Math.min(written, total), total, unit: 'bytes' })
  })
  try {
    await agent.programs.run('podman', containerCommand(args, disk, root_mib), {
      timeout_s: args.timeout_s,
      signal: stuck.signal,
      onLine(text) {
        line = said.add(text) || line
        agent.screen.note(`bootc: ${line}`)
      },
    })
  } catch (cause) {
    const why = stuck.signal.aborted
      ? 'it said and wrote nothing for 15 minutes'
      : reasonOf(cause, said.telling(), args.timeout_s)
    throw new Error(`bootc of ${args.reference} did not install to ${disk.name}: ${why}`, { cause })
  } finally {
    await endContainer(agent)
  }
}

function reasonOf(error: unknown, telling: string | undefined, timeout_s: number): string {
  const { message } = error as Error
  if (message.includes(`did not end within ${timeout_s} s`)) return `it did not end within ${timeout_s} s`
  if (/executable file .?bootc.? not found/.test(telling ?? '')) return 'the image has no bootc'
  return telling ?? message
}

/** Podman itself may have been killed, and its container goes on. The cgroup takes all with it, whatever became of their parents. */
async function endContainer({ root, programs, screen }: StepAgent): Promise<void> {
  await writeFile(join(root, CGROUP, 'cgroup.kill'), '1').catch(() => {})
  await programs
    .run('podman', ['rm', '--force', '--ignore', '--time', '0', NAME], { timeout_s: CLEAN_UP_TIMEOUT_S })
    .catch((error: Error) => screen.note(error.message))
}
