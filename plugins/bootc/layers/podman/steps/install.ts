/**
 * The deploy step bootc_install: a bootable container becomes this machine's operating system. A table of contents of
 * it.
 */
import type { StepAgent, StepContext, StepDisk } from '@appliance/pxe/agent-api'
import { type Finished, finishDisk } from '../../disk-tools/steps/finish.ts'
import { readTable } from '../../disk-tools/steps/partitions.ts'
import { eraseTables, makeUnbootable } from '../../disk-tools/steps/unbootable.ts'
import type { InstallArguments } from './arguments.ts'
import { runInstall } from './container.ts'
import { writeToEncrypted } from './encrypted.ts'
import { prepareHost } from './host.ts'
import { watchMemory } from './memory.ts'
import { pull } from './pull.ts'
import { makeScratch, type Scratch } from './scratch.ts'
import { targetDisk } from './target-disk.ts'
import { requireTpm2 } from './tpm.ts'

export type Installed = {
  reference: string
  digest: string
  disk: string
  /** Of the whole machine, in all of the step. */
  memory_before_mib: number
  memory_least_mib: number
  pull_s: number
  install_s: number
} & Partial<Finished>

const MIB = 1024 * 1024

/**
 * @throws Error  one sentence for the operator. Then nothing stays mounted or running, and what is half on the disk
 * does not boot
 */
export async function install(agent: StepAgent, args: InstallArguments, context: StepContext): Promise<Installed> {
  await using memory = await watchMemory(agent.root)
  const disk = await targetDisk(agent, args.scratch)
  agent.screen.say(`Installing ${args.reference} (${args.digest}) to ${disk.name}`)
  await prepareHost(agent, args.tpm2_luks)
  if (args.tpm2_luks) await requireTpm2(agent)
  try {
    // What was there before loses its end to the scratch space: it must not boot either.
    await eraseTables(agent, disk)
    const times = await pullAndInstall({ agent, context, disk }, args)
    // Into an encrypted root they went while its own image could still open it.
    const finish = args.finish && { ...args.finish, files: args.tpm2_luks ? [] : args.finish.files }
    const finished = finish && (await finishDisk({ agent, disk, context }, finish))
    return { reference: args.reference, digest: args.digest, disk: disk.name, ...times, ...memory.told(), ...finished }
  } catch (error) {
    await makeUnbootable(agent, disk)
    throw error
  }
}

type Task = { agent: StepAgent; context: StepContext; disk: StepDisk }

async function pullAndInstall({ agent, context, disk }: Task, args: InstallArguments) {
  const started = performance.now()
  context.progress({ note: 'making scratch space' })
  await using scratch = await makeScratch(agent, disk, args)
  await pull({ agent, context, scratch }, args)
  const pulled = performance.now()
  await runInstall({ agent, context, disk, scratch }, args)
  await refuseOverlap({ agent, disk, scratch }, args)
  await agent.rereadPartitions(disk)
  if (args.tpm2_luks) await writeToEncrypted({ agent, disk }, args)
  context.progress({ note: 'giving the scratch space back' })
  await scratch.end()
  const seconds = (from: number, to: number) => Math.round((to - from) / 1000)
  return { pull_s: seconds(started, pulled), install_s: seconds(pulled, performance.now()) }
}

/** An image may do with --root-size what it likes. */
async function refuseOverlap(
  task: { agent: StepAgent; disk: StepDisk; scratch: Scratch },
  args: InstallArguments,
): Promise<void> {
  const { agent, disk, scratch } = task
  const { partitions, sectorsize } = await readTable(agent, disk).catch((cause: unknown) => {
    throw new Error(`bootc of ${args.reference} ended without an error, but ${disk.name} has no partition table.`, {
      cause,
    })
  })
  const end = Math.max(...partitions.map(({ start, size }) => (start + size) * sectorsize))
  if (end <= scratch.start_bytes) return
  const found = `its partitions reach to ${Math.ceil(end / MIB)} MiB of ${disk.name}`
  throw new Error(`bootc of ${args.reference} did not keep to the size of root that it was given: ${found}.`)
}
