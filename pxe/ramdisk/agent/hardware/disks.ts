/** The machine's disks as /sys tells of them, in the fields of ironic-python-agent's inventory. Opens no disk. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { byPathName, transportOf } from './disk-path.ts'
import { readNumber, readText, realPath } from './sysfs.ts'

export type Disk = {
  name: string
  model: string | null
  size: number
  rotational: boolean
  wwn: string | null
  serial: string | null
  vendor: string | null
  wwn_with_extension: string | null
  wwn_vendor_extension: string | null
  hctl: string | null
  by_path: string | null
  logical_sectors: number
  physical_sectors: number
  tran: string | null
}

/** Not disks, or nothing that an operating system could be on. */
const NOT_A_DISK = /^(loop|ram|zram|fd|sr|dm-|nbd|mtdblock)|^mmcblk\d+(boot|rpmb)/
const SECTOR_BYTES = 512
/** VPD page 0x80, unit serial number: four bytes of header. */
const PAGE_HEADER_BYTES = 4

/** By size, then name, the smallest first. */
export async function listDisks(root: string): Promise<Disk[]> {
  const folder = join(root, 'sys/block')
  const names = (await readdir(folder).catch(() => [])).filter((name) => !NOT_A_DISK.test(name))
  const disks = await Promise.all(names.map((name) => readDisk(join(folder, name), name)))
  return disks.filter((disk) => disk !== undefined).sort((a, b) => a.size - b.size || (a.name < b.name ? -1 : 1))
}

async function readDisk(folder: string, name: string): Promise<Disk | undefined> {
  const size = ((await readNumber(join(folder, 'size'))) ?? 0) * SECTOR_BYTES
  // One path of several to an NVMe disk, or a drive without a medium.
  if (size === 0 || (await readText(join(folder, 'hidden'))) === '1') return undefined
  const path = await realPath(folder)
  const hctl = /\/(\d+:\d+:\d+:\d+)\/block\//.exec(path)?.[1] ?? null
  return {
    name: `/dev/${name.replaceAll('!', '/')}`,
    model: (await readText(join(folder, 'device/model'))) ?? null,
    size,
    rotational: (await readText(join(folder, 'queue/rotational'))) === '1',
    ...(await namesOf(folder)),
    serial: (await serialOf(folder)) ?? null,
    vendor: (await readText(join(folder, 'device/vendor'))) ?? null,
    hctl,
    by_path: (await byPathName(path)) ?? null,
    logical_sectors: (await readNumber(join(folder, 'queue/logical_block_size'))) ?? SECTOR_BYTES,
    physical_sectors: (await readNumber(join(folder, 'queue/physical_block_size'))) ?? SECTOR_BYTES,
    tran: transportOf(path) ?? null,
  }
}

async function serialOf(folder: string): Promise<string | undefined> {
  const told = (await readText(join(folder, 'device/serial'))) ?? (await readText(join(folder, 'serial')))
  if (told) return told
  const page = await readFile(join(folder, 'device/vpd_pg80')).catch(() => undefined)
  return page?.toString('latin1', PAGE_HEADER_BYTES).replace(/\0/g, '').trim() || undefined
}

/** As udev names them: a NAA identifier is cut after 16 digits, what follows is the vendor's extension. */
async function namesOf(folder: string): Promise<Pick<Disk, 'wwn' | 'wwn_with_extension' | 'wwn_vendor_extension'>> {
  const id = (await readText(join(folder, 'device/wwid'))) ?? (await readText(join(folder, 'wwid')))
  const digits = /^naa\.([0-9a-f]+)$/i.exec(id ?? '')?.[1]?.toLowerCase()
  if (digits) {
    const extension = digits.slice(16)
    return {
      wwn: `0x${digits.slice(0, 16)}`,
      wwn_with_extension: `0x${digits}`,
      wwn_vendor_extension: extension ? `0x${extension}` : null,
    }
  }
  const nvme = id && /^(eui|nvme|uuid)\./.test(id) ? id : null
  return { wwn: nvme, wwn_with_extension: nvme, wwn_vendor_extension: null }
}
