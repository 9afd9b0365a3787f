/** Makes a disk look empty: partition tables and the file systems' signatures, at both ends of the disk and of each partition. */
import { type DiskFile, type Partition, writeAt } from './disk-file.ts'
import { readPartitionTable } from './partition-table.ts'

const MIB = 1024 * 1024
/** File systems, LVM and RAID keep their signatures within this of the beginning, or of the end. */
const ENDS_BYTES = MIB

export async function eraseMetadata(disk: DiskFile): Promise<void> {
  // A damaged table names no partitions; the disk's own ends go all the same.
  const table = await readPartitionTable(disk).catch(() => undefined)
  const whole: Partition = { number: 0, start_bytes: 0, end_bytes: disk.size_bytes }
  for (const { start_bytes, end_bytes } of [...(table?.partitions ?? []), whole]) {
    const [start, end] = [Math.min(start_bytes, disk.size_bytes), Math.min(end_bytes, disk.size_bytes)]
    const zeros = Buffer.alloc(Math.max(0, Math.min(ENDS_BYTES, end - start)))
    await writeAt(disk, start, zeros)
    await writeAt(disk, end - zeros.length, zeros)
  }
  await disk.file.sync()
}

/** Behind an image that is smaller than the disk: the old table's copy must not come to light. */
export async function eraseEnd(disk: DiskFile, from_bytes: number): Promise<void> {
  const start = Math.max(from_bytes, disk.size_bytes - ENDS_BYTES)
  if (start < disk.size_bytes) await writeAt(disk, start, Buffer.alloc(disk.size_bytes - start))
}
