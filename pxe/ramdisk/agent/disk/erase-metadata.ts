/**
 * Makes a disk look empty: partition tables and the signatures of whatever lies on it, at both ends of the disk and
 * of each partition.
 */
import { type DiskFile, type Partition, readAt, writeAt } from './disk-file.ts'
import { readPartitionTable } from './partition-table.ts'

const MIB = 1024 * 1024
/** File systems, LVM and RAID keep their signatures within this of the beginning; the furthest is VMFS's, at 2 MiB. */
const HEAD_BYTES = 4 * MIB
/** LUKS keeps its keys here: without them what it encrypts is gone. */
const LUKS_HEAD_BYTES = 16 * MIB
const LUKS = Buffer.from('LUKS\xba\xbe', 'latin1')
/** RAID, and the table's copy. */
const TAIL_BYTES = MIB

/**
 * @param known  partitions that the kernel knows, when the table on the disk may not tell of all: logical ones,
 * damaged tables
 */
export async function eraseMetadata(disk: DiskFile, known: readonly Partition[] = []): Promise<void> {
  // A damaged table names no partitions; both ends of the disk are erased all the same.
  const table = await readPartitionTable(disk).catch(() => undefined)
  const whole: Partition = { number: 0, start_bytes: 0, end_bytes: disk.size_bytes }
  for (const { start_bytes, end_bytes } of [...known, ...(table?.partitions ?? []), whole]) {
    const [start, end] = [Math.min(start_bytes, disk.size_bytes), Math.min(end_bytes, disk.size_bytes)]
    const isEncrypted = (await readAt(disk, start, LUKS.length)).equals(LUKS)
    const within = (bytes: number) => Math.max(0, Math.min(bytes, end - start))
    await writeAt(disk, start, Buffer.alloc(within(isEncrypted ? LUKS_HEAD_BYTES : HEAD_BYTES)))
    await writeAt(disk, end - within(TAIL_BYTES), Buffer.alloc(within(TAIL_BYTES)))
  }
  await disk.file.sync()
}

/** Behind an image that is smaller than the disk: the old table's copy must not come to light. */
export async function eraseEnd(disk: DiskFile, from_bytes: number): Promise<void> {
  const start = Math.max(from_bytes, disk.size_bytes - TAIL_BYTES)
  if (start < disk.size_bytes) await writeAt(disk, start, Buffer.alloc(disk.size_bytes - start))
}
