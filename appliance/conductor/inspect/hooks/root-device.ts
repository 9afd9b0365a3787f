/**
 * The disk that the operating system would go to, and its size as properties/local_gb. @source Ironic
 * hooks/root_device.py
 */
import { isObject } from '@appliance/ground/json'
import { chooseRootDevice, type Disk } from '@appliance/pxe'
import { DeployFailure, messageOf } from '../../../errors.ts'
import type { Json } from '../../../plugin-api/index.ts'
import { type Hook, type Inspection, itemsOf, numberIn, textIn } from './hook.ts'

const GIB = 1024 ** 3

export const rootDevice: Hook = {
  run(inspection) {
    const { plugin_data, properties, options, warn } = inspection
    const disk = hasHints(properties) ? chosen(inspection) : plugin_data.root_disk
    if (disk !== undefined) plugin_data.root_disk = disk
    const size = isObject(disk) ? (numberIn(disk.size) ?? 0) : 0
    const whole_gb = Number.isSafeInteger(size) && size > 0 ? Math.floor(size / GIB) : 0
    if (whole_gb === 0) warn('there is no root device of at least 1 GiB')
    // Partitions take room of their own.
    const local_gb = whole_gb > 0 && options.disk_partitioning_spacing ? whole_gb - 1 : whole_gb
    plugin_data.local_gb = local_gb
    properties.local_gb = local_gb
  },
}

const hasHints = ({ root_device: hints }: Json) => isObject(hints) && Object.keys(hints).length > 0

/** @throws DeployFailure  no disk fits, or the hints cannot be read */
function chosen({ node, inventory, properties }: Inspection): Disk {
  try {
    return chooseRootDevice(itemsOf(inventory.disks).flatMap(diskIn), { properties })
  } catch (error) {
    throw new DeployFailure(`No disks satisfied root device hints for node ${node.uuid}: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

/** What was told of a disk, with what may be compared. */
function diskIn(told: Json): Disk[] {
  const name = textIn(told.name)
  const size = numberIn(told.size)
  if (name === undefined || size === undefined || !Number.isSafeInteger(size)) return []
  const text = (key: keyof Disk) => textIn(told[key]) ?? null
  const number = (key: keyof Disk) => (Number.isSafeInteger(told[key]) ? Number(told[key]) : 512)
  return [
    {
      ...{ name, size, model: text('model'), rotational: told.rotational === true, wwn: text('wwn') },
      ...{ serial: text('serial'), vendor: text('vendor'), hctl: text('hctl'), by_path: text('by_path') },
      ...{ wwn_with_extension: text('wwn_with_extension'), wwn_vendor_extension: text('wwn_vendor_extension') },
      ...{ logical_sectors: number('logical_sectors'), physical_sectors: number('physical_sectors') },
      tran: text('tran'),
    },
  ]
}
