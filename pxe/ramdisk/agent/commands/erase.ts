/**
 * The steps that erase disks, quickly or thoroughly. One disk that fails does not save the others.
 * @source ironic-python-agent hardware.py erase_devices*
 */
import { join } from 'node:path'
import { diskPath, openDisk, type Partition, rereadPartitions } from '../disk/disk-file.ts'
import { eraseMetadata } from '../disk/erase-metadata.ts'
import { blockFolder, knownPartitions } from '../disk/known-partitions.ts'
import { isVirtualMedia } from '../disk/virtual-media.ts'
import { discarded, eraseDisk, eraseNvme } from '../erase/erase-disk.ts'
import { controllerOf } from '../erase/nvme.ts'
import type { Erasing } from '../erase/secure-erase.ts'
import { wishesOf } from '../erase/wishes.ts'
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
type Erase = (erasing: Erasing, known: readonly Partition[]) => Promise<void>

export const ERASE_STEPS = {
  async erase_devices_metadata(agent, _args, context) {
    await eraseHeads(agent, context, {
      what: 'erasing metadata',
      says: ({ name }) => `Erasing partition tables and file system signatures of ${name}`,
      erase: ({ file }, known) => eraseMetadata(file, known),
    })
  },
  async erase_devices(agent, _args, context) {
    const disks = await erasableDisks(agent)
    const total = disks.reduce((sum, { size }) => sum + size, 0)
    const erasure = createErasure(agent.screen, context, { what: 'erasing disks', total, unit: 'bytes' })
    await onEach(agent, disks, 'all', (disk) => eraseWhole(agent, disk, erasure))
  },
  async erase_devices_express(agent, _args, context) {
    await eraseHeads(agent, context, {
      what: 'discarding disks',
      says: ({ name }) => `Discarding ${name}, or its partition tables and file system signatures`,
      async erase(erasing, known) {
        const why = await eraseNvme(erasing, wishesOf(agent))
        if (why !== undefined) {
          if (controllerOf(erasing.disk.name)) agent.screen.say(`No secure erase of ${erasing.disk.name}: ${why}`)
          await discarded(erasing, [])
        }
        await eraseMetadata(erasing.file, known)
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
  const disks = await offeredDisks(agent)
  if (disks.length === 0) agent.screen.say('There is no disk that this kernel knows, or may erase: nothing is erased.')
  await refuseShared(agent, await writableOf(agent, disks))
  return disks
}

async function eraseWhole(agent: AgentContext, disk: Disk, erasure: Erasure): Promise<void> {
  const wishes = wishesOf(agent)
  if (await isReadOnly(agent, disk)) {
    if (wishes.skips_read_only) return erasure.add(disk.size)
    throw new Error('it is read-only, so its data stays. Take it out, or name it in properties/skip_block_devices')
  }
  await exclusively(agent, disk, (erasing, known) =>
    eraseDisk(erasing, known, { wishes, onBytes: (bytes) => erasure.add(bytes) }),
  )
}

/** The machine's own, without those that the node keeps from it. */
async function offeredDisks(agent: Pick<AgentContext, 'root' | 'node'>): Promise<Disk[]> {
  const disks = withoutSkipped(await listDisks(agent.root), agent.node)
  const isMedium = await Promise.all(disks.map((disk) => isVirtualMedia(agent.root, disk)))
  return withoutVolumes(
    agent,
    disks.filter((_, index) => !isMedium[index]),
  )
}

/** Of what is read-only nothing can be erased. */
export async function writableOf(agent: Pick<AgentContext, 'root'>, disks: readonly Disk[]): Promise<Disk[]> {
  const locked = await Promise.all(disks.map((disk) => isReadOnly(agent, disk)))
  return disks.filter((_, index) => !locked[index])
}

const isReadOnly = async ({ root }: Pick<AgentContext, 'root'>, { name }: Disk) =>
  (await readText(join(blockFolder(root, name), 'ro'))) === '1'

/** @throws Error  it is mounted, or part of something that is active */
async function exclusively(agent: AgentContext, disk: Disk, erase: Erase): Promise<void> {
  const { root, programs, screen } = agent
  const known = await knownPartitions(root, disk.name)
  {
    await using file = await openDisk(root, disk, { exclusive: true })
    await erase({ disk, file, programs, screen, kept: await keptBeside(agent, disk) }, known)
  }
  await rereadPartitions(diskPath(root, disk), programs).catch((error: unknown) => screen.note(messageOf(error)))
}

/** Of the same controller, by name. */
async function keptBeside(agent: AgentContext, { name }: Disk): Promise<string[]> {
  const controller = controllerOf(name)
  if (controller === undefined) return []
  const erasable = (await offeredDisks(agent)).map((disk) => disk.name)
  const all = (await listDisks(agent.root)).map((disk) => disk.name)
  return all.filter((other) => controllerOf(other) === controller && !erasable.includes(other))
}

/**
 * Side by side, but for disks that would be in each other's way: those of one NVMe controller, and paths to one disk.
 */
function inTurn(disks: readonly Disk[]): Disk[][] {
  const turns = Map.groupBy(disks, (disk) => controllerOf(disk.name) ?? disk.wwn ?? disk.name)
  return [...turns.values()]
}

/** A few at a time. @throws AgentError BlockDeviceEraseError  with what is wrong with each that failed */
async function onEach(
  agent: AgentContext,
  disks: readonly Disk[],
  what: 'all' | 'the metadata',
  act: (disk: Disk) => Promise<void>,
): Promise<void> {
  const failures: string[] = []
  const left = inTurn(disks)
  const work = async () => {
    for (let turn = left.shift(); turn; turn = left.shift()) for (const disk of turn) await tried(disk)
  }
  const tried = async (disk: Disk) => {
    try {
      await act(disk)
    } catch (error) {
      const why = reasonOf(error)
      agent.screen.say(`${disk.name} is not erased: ${why}`)
      failures.push(`"${disk.name}": ${why}`)
    }
  }
  await Promise.all(Array.from({ length: wishesOf(agent).at_once }, work))
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
