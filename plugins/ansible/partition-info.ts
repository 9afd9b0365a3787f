/** How a disk is to be divided for a partition image, in Ironic's shape. Pure. @source Ironic ansible/deploy.py */
import type { Json, Task } from '@appliance/core/plugin-api'

type Partition = { number: number; part_start: string; part_end: string; name?: string; flags?: readonly string[] }
type Given = Pick<Task, 'node' | 'readBoolean' | 'failure'>

const CONFIG_DRIVE_MIB = 64
const MIB_PER_GIB = 1024

/** @source Ironic images.is_whole_disk_image: image_type decides, else kernel or ramdisk make it a partition image */
export function isPartitionImage({ instance_info }: Pick<Task['node'], 'instance_info'>): boolean {
  const { image_type, kernel, ramdisk } = instance_info
  return image_type ? image_type === 'partition' : Boolean(kernel || ramdisk)
}

/**
 * @param hasConfigDrive  64 MiB are set apart for it
 * @throws failure  root_gb is missing, or a size is none
 */
export function partitionInfo(given: Given, hasConfigDrive: boolean): Json {
  const { instance_info } = given.node
  const label = diskLabel(given.node)
  const partitions: Record<string, Partition> = {}
  let end = 1
  const add = (name: string, size_mib: number, flags?: readonly string[]) => {
    const start = end
    end += size_mib
    partitions[name] = {
      number: Object.keys(partitions).length + 1,
      part_start: `${start}MiB`,
      part_end: `${end}MiB`,
      ...(label === 'gpt' ? { name } : {}),
      ...(flags ? { flags } : {}),
    }
  }
  const ephemeral_mib = sizeOf(given, 'ephemeral_gb', MIB_PER_GIB)
  const swap_mib = sizeOf(given, 'swap_mb', 1)
  if (label === 'gpt') add('bios', 1, ['bios_grub'])
  if (ephemeral_mib > 0) add('ephemeral', ephemeral_mib)
  if (swap_mib > 0) add('swap', swap_mib)
  if (hasConfigDrive) add('configdrive', CONFIG_DRIVE_MIB)
  // Last, so that the system can grow it.
  add('root', rootSize(given), label === 'gpt' ? undefined : ['boot'])
  const preserve = given.readBoolean(instance_info.preserve_ephemeral) ?? false
  return {
    label,
    ...(ephemeral_mib > 0
      ? {
          ephemeral_format: String(instance_info.ephemeral_format ?? 'ext4'),
          preserve_ephemeral: preserve ? 'yes' : 'no',
        }
      : {}),
    partitions,
  }
}

function rootSize(given: Given): number {
  const root_mib = sizeOf(given, 'root_gb', MIB_PER_GIB)
  if (root_mib > 0) return root_mib
  throw given.failure(
    `Node ${given.node.uuid} has a partition image and no instance_info/root_gb: set the size of its root partition in GiB.`,
  )
}

function sizeOf({ node, failure }: Given, field: string, unit: number): number {
  const value = node.instance_info[field] ?? 0
  const size = Number(value)
  if ((typeof value === 'number' || typeof value === 'string') && Number.isInteger(size) && size >= 0)
    return size * unit
  throw failure(
    `instance_info/${field} of node ${node.uuid} is ${JSON.stringify(value)}: expected a whole number from 0.`,
  )
}

/** @source Ironic deploy_utils.get_disk_label; capabilities are a text (`a:b,c:d`) or an object */
function diskLabel({ properties, instance_info }: Task['node']): 'gpt' | 'msdos' {
  const labels = [instance_info.capabilities, properties.capabilities].map((found) =>
    typeof found === 'string'
      ? /(?:^|,)\s*"?disk_label"?\s*:\s*"?(\w+)/.exec(found.replace(/^\{|\}$/g, ''))?.[1]
      : (found as Json | null | undefined)?.disk_label,
  )
  return labels.find((label) => label !== undefined) === 'gpt' ? 'gpt' : 'msdos'
}
