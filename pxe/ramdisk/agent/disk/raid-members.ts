/**
 * Software RAIDs that a disk, or a partition of it, belongs to: by the superblocks, as nothing assembles RAIDs here.
 * Reads only.
 */
import { type DiskFile, type Partition, readAt } from './disk-file.ts'
import { allPartitions } from './typed-partitions.ts'

/** @source Linux include/uapi/linux/raid/md_p.h, struct mdp_superblock_1 */
const MAGIC = 0xa92b4efc
const NAME_AT = 32
const NAME_BYTES = 32
const GRAIN_BYTES = 4096

/** @returns names as mdadm was given them, without the host in front. @throws Error  the disk cannot be read */
export async function raidNames(disk: DiskFile, known: readonly Partition[]): Promise<string[]> {
  const whole: Partition = { number: 0, start_bytes: 0, end_bytes: disk.size_bytes }
  const names: string[] = []
  for (const { start_bytes, end_bytes } of [whole, ...(await allPartitions(disk)), ...known]) {
    const size = end_bytes - start_bytes
    // Versions 1.1, 1.2 and 1.0.
    for (const place of [0, GRAIN_BYTES, Math.floor((size - 2 * GRAIN_BYTES) / GRAIN_BYTES) * GRAIN_BYTES]) {
      if (place < 0) continue
      const found = await readAt(disk, start_bytes + place, NAME_AT + NAME_BYTES)
      if (found.length < NAME_AT + NAME_BYTES || found.readUInt32LE(0) !== MAGIC) continue
      const name = found.toString('utf8', NAME_AT).replace(/\0.*$/s, '')
      names.push(name.slice(name.indexOf(':') + 1))
    }
  }
  return names
}
