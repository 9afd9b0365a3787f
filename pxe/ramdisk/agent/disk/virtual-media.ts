/** The medium by which Ironic hands a machine its configuration through the BMC: it is not the machine's. */
import { constants } from 'node:fs'
import type { Disk } from '../hardware/disks.ts'
import { openDisk, readAt } from './disk-file.ts'

/** @source ironic-python-agent hardware.py _is_virtual_media_device: /dev/disk/by-label/ir-vfd-dev */
const LABEL = 'IR-VFD-DEV '
/** Of FAT12 and FAT16, and of FAT32: Microsoft FAT specification 1.03, BS_VolLab. */
const LABEL_AT = [43, 71] as const
const SECTOR_BYTES = 512
/** A tenant who writes this label to a disk does not keep its data by it: a BMC's medium is small, and behind USB. */
const LIMIT_BYTES = 64 * 1024 * 1024

export async function isVirtualMedia(root: string, disk: Disk): Promise<boolean> {
  if (disk.tran !== 'usb' || disk.size > LIMIT_BYTES) return false
  try {
    await using file = await openDisk(root, disk, { flags: constants.O_RDONLY })
    const sector = (await readAt(file, 0, SECTOR_BYTES)).toString('latin1')
    return LABEL_AT.some((at) => sector.slice(at, at + LABEL.length).toUpperCase() === LABEL)
  } catch {
    // A disk that cannot be read is for those to tell who look for what others share.
    return false
  }
}
