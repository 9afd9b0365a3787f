/**
 * MBR partition tables: four primary partitions. Logical partitions are covered by the extended one that holds them.
 */
import { type DiskFile, type Partition, readAt, writeAt } from './disk-file.ts'

export type Mbr = { sector: Buffer; protective: boolean }

const TABLE_AT = 446
const ENTRY_BYTES = 16
const PROTECTIVE = 0xee
const EFI = 0xef
/** FAT32 with LBA, as parted's `mkpart primary fat32` has it. */
const FAT32_LBA = 0x0c
const IDENTIFIER_AT = 440
/** The largest number of sectors that an entry can name. */
export const MBR_SECTORS_LIMIT = 0xffffffff

export const entryAt = (sector: Buffer, index: number) =>
  sector.subarray(TABLE_AT + index * ENTRY_BYTES, TABLE_AT + (index + 1) * ENTRY_BYTES)

/** @returns undefined when there is no table, or only a file system's boot sector */
export async function readMbr(disk: DiskFile): Promise<Mbr | undefined> {
  const sector = await readAt(disk, 0, 512)
  if (sector.length < 512 || sector.readUInt16LE(510) !== 0xaa55) return undefined
  const entries = [0, 1, 2, 3].map((index) => entryAt(sector, index))
  if (!entries.every(([status = 0]) => status === 0 || status === 0x80)) return undefined
  return { sector, protective: entries.some((entry) => entry[4] === PROTECTIVE) }
}

export function mbrPartitions({ sector }: Mbr, sector_bytes: number): Partition[] {
  return [0, 1, 2, 3].flatMap((index) => {
    const entry = entryAt(sector, index)
    const [start, count] = [entry.readUInt32LE(8), entry.readUInt32LE(12)]
    if (entry[4] === 0 || count === 0) return []
    return [{ number: index + 1, start_bytes: start * sector_bytes, end_bytes: (start + count) * sector_bytes }]
  })
}

/** Number of the first EFI system partition. */
export function efiMbrPartition({ sector }: Mbr): number | undefined {
  const index = [0, 1, 2, 3].find((candidate) => entryAt(sector, candidate)[4] === EFI)
  return index === undefined ? undefined : index + 1
}

/** Takes the first free entry. @throws Error  all four are taken */
export async function addMbrPartition(
  disk: DiskFile,
  mbr: Mbr,
  place: { start_bytes: number; end_bytes: number },
): Promise<number> {
  const index = [0, 1, 2, 3].find((candidate) => entryAt(mbr.sector, candidate)[4] === 0)
  if (index === undefined) throw new Error('the MBR has four primary partitions already')
  const entry = entryAt(mbr.sector, index)
  entry.fill(0)
  // Beyond what cylinders, heads and sectors can say.
  entry.set([0, 0xfe, 0xff, 0xff, FAT32_LBA, 0xfe, 0xff, 0xff])
  entry.writeUInt32LE(place.start_bytes / disk.sector_bytes, 8)
  entry.writeUInt32LE((place.end_bytes - place.start_bytes) / disk.sector_bytes, 12)
  await writeAt(disk, 0, mbr.sector)
  return index + 1
}

/** As ironic-python-agent tells it for whole-disk images. */
export async function diskIdentifier(disk: DiskFile): Promise<string> {
  const bytes = await readAt(disk, IDENTIFIER_AT, 4)
  return `0x${bytes.readUInt32LE(0).toString(16).padStart(8, '0')}`
}
