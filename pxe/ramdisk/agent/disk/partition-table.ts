/** What partitions a disk has, whichever table names them. */
import { type DiskFile, type Partition, readAt } from './disk-file.ts'
import { efiGptPartition, type Gpt, gptPartitions, readGpt } from './gpt.ts'
import { efiMbrPartition, type Mbr, mbrPartitions, readMbr } from './mbr.ts'

export type PartitionTable = { partitions: Partition[] } & ({ kind: 'gpt'; gpt: Gpt } | { kind: 'mbr'; mbr: Mbr })

/** @returns undefined when the disk has no table. @throws Error  one sentence about what is damaged */
export async function readPartitionTable(disk: DiskFile): Promise<PartitionTable | undefined> {
  const gpt = await readGpt(disk)
  if (gpt) return { kind: 'gpt', gpt, partitions: gptPartitions(gpt, disk.sector_bytes) }
  const mbr = await readMbr(disk)
  if (!mbr) return undefined
  if (mbr.protective) throw await noGptBehindMbr(disk)
  return { kind: 'mbr', mbr, partitions: mbrPartitions(mbr, disk.sector_bytes) }
}

/** Number of the EFI system partition. */
export const efiPartition = (table: PartitionTable): number | undefined =>
  table.kind === 'gpt' ? efiGptPartition(table.gpt) : efiMbrPartition(table.mbr)

async function noGptBehindMbr(disk: DiskFile): Promise<Error> {
  for (const other of [512, 4096]) {
    if (other !== disk.sector_bytes && (await readAt(disk, other, 8)).toString('latin1') === 'EFI PART') {
      return new Error(
        `the image was made for sectors of ${other} bytes, and ${disk.path} has sectors of ${disk.sector_bytes}`,
      )
    }
  }
  return new Error(`${disk.path} has a protective MBR, but no GPT behind it`)
}
