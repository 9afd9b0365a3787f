/**
 * The steps that erase disks, quickly or thoroughly. One disk that fails does not save the others.
 * @source ironic-python-agent hardware.py erase_devices*
 */
import { join } from 'node:path'
import { type DiskFile, diskPath, openDisk, type Partition, rereadPartitions } from '../disk/disk-file.ts'
import { eraseMetadata } from '../disk/erase-metadata.ts'
import { blockFolder, knownPartitions } from '../disk/known-partitions.ts'
import { overwrite } from '../disk/overwrite.ts'
import { AgentError, messageOf } from '../errors.ts'
import { type Disk, listDisks } from '../hardware/disks.ts'
import { withoutSkipped } from '../hardware/root-device.ts'
import { readText } from '../hardware/sysfs.ts'
import type { CommandContext, Params } from '../protocol/commands.ts'
import type { AgentContext } from './context.ts'
import { createErasure, type Erasure } from './erasure.ts'
import { refuseShared, withoutVolumes } from './guard.ts'

type Step = (agent: AgentContext, args: Params, context: CommandContext) => Promise<void>
/** Of one disk, which nobody else uses. */
type Erase = (disk: DiskFile, known: readonly Partition[]) => Promise<void>

const AT_ONCE = 1
const AT_ONCE_LIMIT = 64
/** The controller does all the work, and tells nothing meanwhile. */
const DISCARD_TIMEOUT_S = 24 * 3600

export const ERASE_STEPS = {
  async erase_devices_metadata(agent, _args, context) {
    await eraseHeads(agent, context, {
      what: 'erasing metadata',
      says: ({ name }) => `Erasing partition tables and file system signatures of ${name}`,
      erase: eraseMetadata,
    })
  },
  async erase_devices(agent, _args, context) {
    const disks = await erasableDisks(agent)
    const total = disks.reduce((sum, { size }) => sum + size, 0)
    const erasure = createErasure(agent.screen, context, { what: 'erasing disks', total, unit: 'bytes' })
    await onEach(agent, disks, 'all', (disk) => eraseAll(agent, disk, erasure))
  },
  async erase_devices_express(agent, _args, context) {
    await eraseHeads(agent, context, {
      what: 'discarding disks',
      says: ({ name }) => `Discarding ${name}, or its partition tables and file system signatures`,
      async erase(file, known) {
        await discard(agent, file, [])
        await eraseMetadata(file, known)
      },
    })
  },
} as const satisfies Record<string, Step>

type Heads = { what: string; says(disk: Disk): string; erase: Erase }

/** Disk by disk; what is read-only is passed. */
async function eraseHeads(agent: AgentContext, context: CommandContext, { what, says, erase }: Heads): Promise<void> {
  const disks = await erasableDisks(agent)
  const erasure = createErasure(agent.screen, context, { what, total: disks.length, unit: 'steps' })
  await onEach(agent, disks, 'the metadata', async (disk) => {
    agent.screen.say(says(disk))
    if (!(await isReadOnly(agent, disk))) await exclusively(agent, disk, erase)
    erasure.add(1)
  })
}

/**
 * But those that the node's skip_block_devices names.
 * @throws AgentError  one of them may be in use by others: none is to be erased
 */
export async function erasableDisks(
  agent: Pick<AgentContext, 'root' | 'node' | 'options' | 'screen'>,
): Promise<Disk[]> {
  const disks = await withoutVolumes(agent, withoutSkipped(await listDisks(agent.root), agent.node))
  if (disks.length === 0) agent.screen.say('There is no disk that this kernel knows, or may erase: nothing is erased.')
  // Of what is read-only nothing can be erased.
  const locked = await Promise.all(disks.map((disk) => isReadOnly(agent, disk)))
  await refuseShared(
    agent,
    disks.filter((_, index) => !locked[index]),
  )
  return disks
}

async function eraseAll(agent: AgentContext, disk: Disk, erasure: Erasure): Promise<void> {
  if (await isReadOnly(agent, disk)) {
    if (wishesOf(agent).agent_erase_skip_read_only === true) return erasure.add(disk.size)
    throw new Error('it is read-only, so its data stays. Take it out, or name it in properties/skip_block_devices')
  }
  await exclusively(agent, disk, async (file, known) => {
    if (await discard(agent, file, ['--secure'])) {
      agent.screen.say(`Erased ${disk.name} by secure discard`)
      await eraseMetadata(file, known)
      erasure.add(disk.size)
      return
    }
    agent.screen.say(`Overwriting ${disk.name} with zeros: it knows no secure discard`)
    await overwrite(file, (bytes) => erasure.add(bytes))
  })
}

/** What the appliance says about how to erase. @source Ironic deploy_utils.agent_add_clean_params */
function wishesOf({ node }: AgentContext): Readonly<Record<string, unknown>> {
  const { driver_internal_info: wishes } = node
  return wishes !== null && typeof wishes === 'object' ? (wishes as Record<string, unknown>) : {}
}

function atOnce(agent: AgentContext): number {
  const { disk_erasure_concurrency: wished } = wishesOf(agent)
  return Number.isInteger(wished) ? Math.min(Math.max(Number(wished), 1), AT_ONCE_LIMIT) : AT_ONCE
}

const isReadOnly = async ({ root }: Pick<AgentContext, 'root'>, { name }: Disk) =>
  (await readText(join(blockFolder(root, name), 'ro'))) === '1'

/** @throws Error  it is mounted, or part of something that is active */
async function exclusively(agent: AgentContext, disk: Disk, erase: Erase): Promise<void> {
  const known = await knownPartitions(agent.root, disk.name)
  {
    await using file = await openDisk(agent.root, disk, { exclusive: true })
    await erase(file, known)
  }
  await rereadPartitions(diskPath(agent.root, disk), agent.programs).catch((error: unknown) =>
    agent.screen.note(messageOf(error)),
  )
}

/**
 * @returns false: the disk does not know it. `--force`: the disk is ours, and nobody is to be asked about what is on
 * it
 */
function discard({ programs }: AgentContext, { path }: DiskFile, how: readonly string[]): Promise<boolean> {
  return programs.run('blkdiscard', ['--force', ...how, path], { timeout_s: DISCARD_TIMEOUT_S }).then(
    () => true,
    () => false,
  )
}

/** A few at a time. @throws AgentError BlockDeviceEraseError  with what is wrong with each that failed */
async function onEach(
  agent: AgentContext,
  disks: readonly Disk[],
  what: 'all' | 'the metadata',
  act: (disk: Disk) => Promise<void>,
): Promise<void> {
  const failures: string[] = []
  const left = [...disks]
  const work = async () => {
    for (let disk = left.shift(); disk; disk = left.shift()) {
      try {
        await act(disk)
      } catch (error) {
        const why = reasonOf(error)
        agent.screen.say(`${disk.name} is not erased: ${why}`)
        failures.push(`"${disk.name}": ${why}`)
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce(agent) }, work))
  if (failures.length === 0) return
  const of = what === 'all' ? '' : 'the metadata on '
  throw new AgentError('BlockDeviceEraseError', `Failed to erase ${of}the device(s): ${failures.join('; ')}`)
}

function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EBUSY') return 'it is in use (mounted, or part of a RAID or a volume that is active)'
  if (code === 'ENOENT' || code === 'ENXIO' || code === 'ENODEV') return 'it is gone'
  return messageOf(error)
}
