/** Disks that other machines may be using are not written to, unless the node or the kernel's command line says so. */
import { constants } from 'node:fs'
import { type DiskFile, diskPath, openDisk, type Partition } from '../disk/disk-file.ts'
import { knownPartitions } from '../disk/known-partitions.ts'
import { raidNames } from '../disk/raid-members.ts'
import { sharedFileSystem } from '../disk/shared-file-systems.ts'
import { AgentError, messageOf } from '../errors.ts'
import type { Disk } from '../hardware/disks.ts'
import { volumesOf } from '../hardware/node-hints.ts'
import type { AgentContext } from './context.ts'

type Guarded = Pick<AgentContext, 'root' | 'node' | 'options' | 'screen'>

/**
 * To be asked of all disks before anything is written to the first of them.
 * @throws AgentError ProtectedDeviceError  a disk carries such a file system, or cannot be read: nothing is known of
 * it then
 * @source ironic-python-agent hardware.safety_check_block_device
 */
export async function refuseShared(agent: Guarded, disks: readonly Disk[]): Promise<void> {
  if (!agent.options.guard_special_filesystems || mayWipe(agent.node)) {
    agent.screen.note('Shared file systems are not guarded: the kernel parameters or driver_info of the node say so')
    return
  }
  for (const disk of disks) {
    const found = await foundOn(agent.root, disk)
    if (found !== undefined) throw isProtected(disk, found)
  }
}

/**
 * Without those that a software RAID lies on which properties/skip_block_devices names.
 * @throws AgentError ProtectedDeviceError  a disk cannot be read: it may be one of them
 */
export async function withoutVolumes(
  { root, node }: Pick<Guarded, 'root' | 'node'>,
  disks: readonly Disk[],
): Promise<Disk[]> {
  const volumes = volumesOf((node.properties as { skip_block_devices?: unknown } | undefined)?.skip_block_devices)
  if (volumes.length === 0) return [...disks]
  const left: Disk[] = []
  for (const disk of disks) {
    const names = await read(root, disk, raidNames)
    if (!names?.some((name) => volumes.includes(name))) left.push(disk)
  }
  return left
}

/** @returns what it carries, in words */
async function foundOn(root: string, disk: Disk): Promise<string | undefined> {
  const shared = await read(root, disk, sharedFileSystem)
  return shared && `${shared.what}${shared.partition === 0 ? '' : ` (partition ${shared.partition})`}`
}

/** @returns undefined when the disk is gone. @throws AgentError ProtectedDeviceError  it cannot be read */
async function read<T>(
  root: string,
  disk: Disk,
  look: (file: DiskFile, known: readonly Partition[]) => Promise<T>,
): Promise<T | undefined> {
  try {
    await using file = await openDisk(root, disk, { flags: constants.O_RDONLY })
    return await look(file, await knownPartitions(root, disk.name))
  } catch (error) {
    // A disk that is gone is the step's business: there is nothing that could be erased.
    if (/^(ENOENT|ENXIO|ENODEV)$/.test((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw new AgentError(
      'ProtectedDeviceError',
      `Device ${disk.name} cannot be read (${messageOf(error)}), so nobody knows whether other machines use it, and nothing was ` +
        `written to any disk. Take ${diskPath('/', disk)} out, or ${HOW_TO_LEAVE}, and begin again.`,
      { cause: error },
    )
  }
}

const HOW_TO_LEAVE = 'name it in properties/skip_block_devices of the node'

const isProtected = ({ name }: Disk, found: string) =>
  new AgentError(
    'ProtectedDeviceError',
    `Protected ${found} located on device ${name}. Other machines may be using it, so nothing was written to any disk. Detach ` +
      `it, or ${HOW_TO_LEAVE}, and begin again. If it may go, set driver_info/wipe_special_filesystems of the node to true.`,
  )

/** @source ironic-python-agent, documentation "How do I tell IPA to clean the disk(s)?" */
function mayWipe({ driver_info }: AgentContext['node']): boolean {
  const { wipe_special_filesystems: wish } = (driver_info ?? {}) as { wipe_special_filesystems?: unknown }
  return wish === true || (typeof wish === 'string' && /^\s*(1|t|true|on|y|yes)\s*$/i.test(wish))
}
