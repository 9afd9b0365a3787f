/** The partitions of a disk that the kernel knows. Opens no disk. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { readNumber } from '../hardware/sysfs.ts'
import type { Partition } from './disk-file.ts'

/** Of /sys, whatever the disk. */
const SECTOR_BYTES = 512

/** What the kernel tells of a disk is in here: /dev/cciss/c0d0 is cciss!c0d0 there. */
export const blockFolder = (root: string, name: string) => join(root, 'sys/block', ownName(name))
const ownName = (name: string) => name.slice('/dev/'.length).replaceAll('/', '!')

/** Whichever table names them. @param name  /dev/sda */
export async function knownPartitions(root: string, name: string): Promise<Partition[]> {
  const own = ownName(name)
  const folder = blockFolder(root, name)
  const names = (await readdir(folder).catch(() => [])).filter((entry) => entry.startsWith(own))
  const partitions = await Promise.all(
    names.map(async (entry) => {
      const read = (what: string) => readNumber(join(folder, entry, what))
      const [number, start, size] = await Promise.all([read('partition'), read('start'), read('size')])
      if (number === undefined || start === undefined || size === undefined) return []
      const start_bytes = start * SECTOR_BYTES
      return [{ number, start_bytes, end_bytes: start_bytes + size * SECTOR_BYTES }]
    }),
  )
  return partitions.flat()
}
