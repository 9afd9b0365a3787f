/** Disks that other machines may be using are not written to, unless the node or the kernel's command line says so. */
import { constants } from 'node:fs'
import { diskPath, openDisk } from '../disk/disk-file.ts'
import { knownPartitions } from '../disk/known-partitions.ts'
import { sharedFileSystem } from '../disk/shared-file-systems.ts'
import { AgentError, messageOf } from '../errors.ts'
import type { Disk } from '../hardware/disks.ts'
import type { AgentContext } from './context.ts'

type Guarded = Pick<AgentContext, 'root' | 'node' | 'options' | 'screen'>

/**
 * To be asked of all disks before anything is written to the first of them.
 * @throws AgentError ProtectedDeviceError  a disk carries such a file system, or cannot be read: nothing is known of it then
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

/** @returns what it carries, in words */
async function foundOn(root: string, disk: Disk): Promise<string | undefined> {
  try {
    await using file = await openDisk(root, disk, { flags: constants.O_RDONLY })
    const shared = await sharedFileSystem(file, await knownPartitions(root, disk.name))
    return shared && `${shared.what}${shared.partition === 0 ? '' : ` (partition ${shared.partition})`}`
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
