/**
 * Runs a program of the pulled image as a container: the tenant's code as root on the tenant's steel. Nothing that it
 * started outlives it.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { StepAgent } from '@appliance/pxe/agent-api'
import type { InstallArguments } from './arguments.ts'
import { availableMemoryBytes } from './counters.ts'
import { pulledName } from './registries.ts'
import { createSaid } from './said.ts'

export type ContainerRun = {
  timeout_s: number
  /** Each line, made harmless. */
  onLine?(line: string): void
  signal?: AbortSignal
}

const MIB = 1024 * 1024
const NAME = 'rackstrap-bootc'
/** crun's, with podman's cgroupfs manager: all containers are below it. */
const CGROUP = 'sys/fs/cgroup/libpod_parent'
/** A fork bomb ends there, and the agent goes on. */
const PROCESSES_LIMIT = 4096
/** Left to the agent when the container takes all that it may. */
const AGENT_MEMORY_BYTES = 96 * MIB
const LEAST_MEMORY_BYTES = 256 * MIB
const CLEAN_UP_TIMEOUT_S = 120
/** Thousands of processes take a while to end. */
const KILL_ATTEMPTS = 600
const KILL_PAUSE_MS = 200

/** @throws Error  its last telling line */
export async function runInContainer(
  agent: StepAgent,
  args: InstallArguments,
  command: readonly string[],
  o: ContainerRun,
): Promise<void> {
  const said = createSaid()
  const available = await availableMemoryBytes(agent.root)
  const memory_bytes = Math.max(LEAST_MEMORY_BYTES, available - AGENT_MEMORY_BYTES)
  try {
    await agent.programs.run('podman', [...containerOptions(memory_bytes), pulledName(args), ...command], {
      timeout_s: o.timeout_s,
      ...(o.signal ? { signal: o.signal } : {}),
      onLine(text) {
        const line = said.add(text)
        if (line === '') return
        agent.screen.note(`container: ${line}`)
        o.onLine?.(line)
      },
    })
  } catch (cause) {
    throw new Error(reasonOf(cause as Error, said.telling(), { ...o, memory_bytes }), { cause })
  } finally {
    await endContainer(agent)
  }
}

const containerOptions = (memory_bytes: number): string[] => [
  ...['run', '--rm', '--name', NAME, '--privileged', '--pid=host', '--network=none', '--pull=never'],
  ...['--pids-limit', String(PROCESSES_LIMIT), '--memory', String(memory_bytes)],
  ...['-v', '/var/lib/containers:/var/lib/containers', '-v', '/dev:/dev'],
]

/** As a shell has it for an end by SIGKILL, which is how the kernel ends who takes too much memory. */
const KILLED = /ended with code 137$/

function reasonOf(
  error: Error,
  telling: string | undefined,
  { timeout_s, signal, memory_bytes }: ContainerRun & { memory_bytes: number },
): string {
  if (signal?.aborted) return String((signal.reason as Error).message)
  if (error.message.includes(`did not end within ${timeout_s} s`)) return `it did not end within ${timeout_s} s`
  if (/executable file .?bootc.? not found/.test(telling ?? '')) return 'the image has no bootc'
  if (telling) return telling
  if (KILLED.test(error.message)) return `it was killed; it may use ${Math.floor(memory_bytes / MIB)} MiB of memory`
  return error.message.split(': ').pop() ?? error.message
}

/**
 * Podman itself may have been killed, and its container goes on. The cgroup takes all with it, whatever became of their
 * parents.
 */
async function endContainer({ root, programs, screen }: StepAgent): Promise<void> {
  await killAll(join(root, CGROUP))
  await programs
    .run('podman', ['rm', '--force', '--ignore', '--time', '0', NAME], { timeout_s: CLEAN_UP_TIMEOUT_S })
    .catch((error: Error) => screen.note(error.message))
}

/** Waits for their end: they hold the scratch space. A cgroup that is not there has nobody in it. */
async function killAll(cgroup: string): Promise<void> {
  for (let attempt = 0; attempt < KILL_ATTEMPTS; attempt++) {
    const events = await readFile(join(cgroup, 'cgroup.events'), 'utf8').catch(() => '')
    if (!events.includes('populated 1')) return
    await writeFile(join(cgroup, 'cgroup.kill'), '1').catch(() => {})
    await pause(KILL_PAUSE_MS)
  }
}
