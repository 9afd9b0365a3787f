/**
 * Puts the config drive on the disk: into a partition that is one already, else into a new one at the end of the
 * disk.
 */
import { AgentError, messageOf } from '../errors.ts'
import { gib } from '../hardware/root-device.ts'
import { CONFIG_DRIVE_LIMIT_BYTES } from './config-drive.ts'
import { type DiskFile, type Partition, readAt, writeAt } from './disk-file.ts'
import { addGptPartition, usableEnd, writeGpt } from './gpt.ts'
import { addMbrPartition, MBR_SECTORS_LIMIT } from './mbr.ts'
import { type PartitionTable, readPartitionTable } from './partition-table.ts'

const MIB = 1024 * 1024
const LABEL = 'config-2'

/** @returns its number. @throws AgentError DeploymentError  no table, no room, no free number */
export async function writeConfigDrive(disk: DiskFile, content: Buffer): Promise<number> {
  try {
    const table = await readPartitionTable(disk)
    if (!table) throw new Error('the disk has no partition table')
    const existing = await labelledPartition(disk, table.partitions)
    const partition = existing ?? (await addPartition(disk, table, content.length))
    if (content.length > partition.end_bytes - partition.start_bytes) {
      throw new Error(`it has ${content.length} bytes, and partition ${partition.number} is smaller`)
    }
    await writeAt(disk, partition.start_bytes, content)
    await disk.file.sync()
    return partition.number
  } catch (error) {
    if (error instanceof AgentError) throw error
    throw new AgentError(
      'DeploymentError',
      `Failed to create config drive on disk ${disk.path}: ${messageOf(error)}.`,
      { cause: error },
    )
  }
}

/** By the label of its ISO 9660 or FAT file system, whatever its case. */
async function labelledPartition(disk: DiskFile, partitions: readonly Partition[]): Promise<Partition | undefined> {
  for (const partition of partitions) {
    if (partition.end_bytes - partition.start_bytes < 64 * 1024) continue
    const labels = await Promise.all(
      [
        [0x8028, 32],
        [43, 11],
        [71, 11],
      ].map(async ([at = 0, length = 0]) =>
        (await readAt(disk, partition.start_bytes + at, length)).toString('latin1').trim(),
      ),
    )
    if (labels.some((label) => label.toLowerCase() === LABEL)) return partition
  }
  return undefined
}

async function addPartition(disk: DiskFile, table: PartitionTable, least_bytes: number): Promise<Partition> {
  const end = table.kind === 'gpt' ? usableEnd(table.gpt, disk) : mbrEnd(disk)
  const taken = Math.max(MIB, ...table.partitions.map(({ end_bytes }) => end_bytes))
  const wanted = Math.floor((end - CONFIG_DRIVE_LIMIT_BYTES) / MIB) * MIB
  // A disk that is full but for a little: no 64 MiB then, if the drive fits.
  const start_bytes = Math.max(wanted, Math.ceil(taken / MIB) * MIB)
  if (start_bytes + least_bytes > end) {
    throw new Error(
      `there is no room behind its last partition, which ends at ${gib(taken)} of ${gib(disk.size_bytes)}`,
    )
  }
  if (table.kind === 'gpt') {
    const place = { start_bytes, end_bytes: end, sector_bytes: disk.sector_bytes, name: 'config-2' }
    const number = addGptPartition(table.gpt, place)
    await writeGpt(disk, table.gpt)
    return { number, start_bytes, end_bytes: end }
  }
  const number = await addMbrPartition(disk, table.mbr, { start_bytes, end_bytes: end })
  return { number, start_bytes, end_bytes: end }
}

/** An MBR reaches no further than 2 TiB. */
const mbrEnd = ({ size_bytes, sector_bytes }: DiskFile) =>
  Math.min(Math.floor(size_bytes / sector_bytes), MBR_SECTORS_LIMIT) * sector_bytes
