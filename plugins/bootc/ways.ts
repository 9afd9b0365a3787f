/** Where a container is installed, and whether a machine is large enough for that. */
import type { ContainerImage } from '@appliance/core/plugin-api'
import type { Wanted } from './node-fields.ts'
import type { BootcTask } from './options.ts'
import { diskForAppliance, diskForMachine, gib, knownDiskBytes, knownMemoryMib } from './sizes.ts'

/** Of the ramdisk, for an install. */
export const LAYERS = ['disk-tools', 'podman'] as const

export type Way = 'machine' | 'appliance'

/**
 * With so much each was seen to work, less was not tried: the ramdisk is the most of what is needed, and podman the
 * most of the ramdisk.
 * For `machine` 1 GiB, of which firmware keeps a part.
 */
const MEMORY_MIB: Readonly<Record<Way, number>> = { machine: 900, appliance: 384 }

type Asked = { image: ContainerImage; wanted: Pick<Wanted, 'tpm2_luks'> }

/** README says why. @throws task.failure  what is asked for cannot be done */
export async function wayOf(task: BootcTask, asked: Asked): Promise<Way> {
  const { install } = task.options
  if (install === 'machine') return install
  if (install === 'appliance') {
    const why = await whyNotAppliance(task, asked)
    if (why === undefined) return install
    throw task.failure(
      `bootc_install of node ${task.node.uuid} is "appliance", and ${why}. Set it to "machine" or "auto".`,
    )
  }
  const disk_bytes = knownDiskBytes(task.node)
  const isLarge = disk_bytes === undefined || disk_bytes >= diskForAppliance(asked.image)
  const isQuick = task.guest?.acceleration === 'kvm'
  return isQuick && isLarge && (await whyNotAppliance(task, asked)) === undefined ? 'appliance' : 'machine'
}

async function whyNotAppliance(task: BootcTask, { wanted }: Asked): Promise<string | undefined> {
  if (wanted.tpm2_luks) return "bootc_tpm2_luks is set: the key of a disk lies in its own machine's TPM"
  if (!task.guest) return 'this appliance cannot start virtual machines'
  if (!(await task.guest.has(LAYERS))) return `its deploy ramdisk has no layers ${LAYERS.join(' and ')}`
  return undefined
}

/** @throws task.failure  the node's record says that it cannot be done */
export function checkMachine(task: BootcTask, { image }: Asked, way: Way): void {
  const { uuid, properties } = task.node
  const disk_bytes = knownDiskBytes(task.node)
  const needed_bytes = way === 'appliance' ? diskForAppliance(image) : diskForMachine(image)
  if (disk_bytes !== undefined && disk_bytes < needed_bytes) {
    throw task.failure(
      `The disk of node ${uuid} is too small for ${image.reference}: its record says ${gib(disk_bytes)}, and ${gib(needed_bytes)} are needed to install it (bootc_install is "${way}").`,
    )
  }
  const memory_mib = knownMemoryMib(properties)
  if (memory_mib !== undefined && memory_mib < MEMORY_MIB[way]) {
    throw task.failure(
      `Node ${uuid} has too little memory for the deploy ramdisk and an install of ${image.reference}: properties/memory_mb says ${memory_mib} MiB, and ${MEMORY_MIB[way]} MiB are needed.`,
    )
  }
}
