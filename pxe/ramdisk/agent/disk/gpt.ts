/**
 * GUID partition tables: read, moved to the end of a larger disk, one partition added.
 * @source UEFI 2.10 section 5.3
 */
import { randomUUID } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { type DiskFile, type Partition, readAt, writeAt } from './disk-file.ts'

export type Gpt = { header: Buffer; entries: Buffer; entry_bytes: number }

export const GPT_SIGNATURE = 'EFI PART'
/** Of what UEFI 2.10 defines; a header may be longer. */
export const GPT_HEADER_BYTES = 92
export const ENTRIES_LIMIT_BYTES = 1024 * 1024
const NAME_AT = 56
/** Linux filesystem data, as it stands on the disk. */
const LINUX_TYPE = '0FC63DAF-8483-4772-8E79-3D69D8477DE4'
const EFI_TYPE = 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B'
// Offsets in the header.
export const GPT_AT = {
  headerSize: 12,
  headerCrc: 16,
  own: 24,
  other: 32,
  firstUsable: 40,
  lastUsable: 48,
  entries: 72,
  count: 80,
  size: 84,
  entriesCrc: 88,
}

const sectors = (bytes: number, sector_bytes: number) => Math.ceil(bytes / sector_bytes)

/** @returns undefined when there is none. @throws Error  one sentence about what is damaged */
export async function readGpt(disk: DiskFile): Promise<Gpt | undefined> {
  const sector = await readAt(disk, disk.sector_bytes, disk.sector_bytes)
  if (sector.toString('latin1', 0, 8) !== GPT_SIGNATURE) return undefined
  const header_bytes = sector.length < GPT_HEADER_BYTES ? 0 : sector.readUInt32LE(GPT_AT.headerSize)
  if (header_bytes < GPT_HEADER_BYTES || header_bytes > sector.length) {
    const wanted = `${GPT_HEADER_BYTES} to ${disk.sector_bytes} bytes are possible`
    throw new Error(
      `the GPT header of ${disk.path} is damaged: it says that it has ${header_bytes} bytes, and ${wanted}`,
    )
  }
  const header = sector.subarray(0, header_bytes)
  if (checksum(header, GPT_AT.headerCrc) !== header.readUInt32LE(GPT_AT.headerCrc)) {
    throw new Error(`the GPT header of ${disk.path} is damaged: its checksum is wrong`)
  }
  const entry_bytes = header.readUInt32LE(GPT_AT.size)
  const bytes = header.readUInt32LE(GPT_AT.count) * entry_bytes
  if (entry_bytes < 128 || bytes > ENTRIES_LIMIT_BYTES)
    throw new Error(`the GPT of ${disk.path} has entries of no sane size`)
  const entries = await readAt(disk, Number(header.readBigUInt64LE(GPT_AT.entries)) * disk.sector_bytes, bytes)
  if (crc32(entries) !== header.readUInt32LE(GPT_AT.entriesCrc)) {
    throw new Error(`the GPT entries of ${disk.path} are damaged: their checksum is wrong`)
  }
  return { header, entries, entry_bytes }
}

/** With the field of the checksum itself taken as zero. */
function checksum(header: Buffer, at: number): number {
  const copy = Buffer.from(header)
  copy.writeUInt32LE(0, at)
  return crc32(copy)
}

export function gptPartitions({ entries, entry_bytes }: Gpt, sector_bytes: number): Partition[] {
  const partitions: Partition[] = []
  for (let index = 0; (index + 1) * entry_bytes <= entries.length; index++) {
    const entry = entries.subarray(index * entry_bytes, (index + 1) * entry_bytes)
    if (entry.subarray(0, 16).every((byte) => byte === 0)) continue
    partitions.push({
      number: index + 1,
      start_bytes: Number(entry.readBigUInt64LE(32)) * sector_bytes,
      end_bytes: (Number(entry.readBigUInt64LE(40)) + 1) * sector_bytes,
    })
  }
  return partitions
}

/** Number of the first EFI system partition. */
export function efiGptPartition({ entries, entry_bytes }: Gpt): number | undefined {
  const type = guidBytes(EFI_TYPE)
  for (let index = 0; (index + 1) * entry_bytes <= entries.length; index++) {
    if (entries.subarray(index * entry_bytes, index * entry_bytes + 16).equals(type)) return index + 1
  }
  return undefined
}

/** First byte after what partitions may use, once the table's copy stands at the end of the disk. */
export const usableEnd = (gpt: Gpt, disk: DiskFile) =>
  (Math.floor(disk.size_bytes / disk.sector_bytes) - 1 - sectors(gpt.entries.length, disk.sector_bytes)) *
  disk.sector_bytes

/** Both copies, the second at the very end of the disk, and the protective MBR for all of it: what `sgdisk -e` does. */
export async function writeGpt(disk: DiskFile, gpt: Gpt): Promise<void> {
  const last = Math.floor(disk.size_bytes / disk.sector_bytes) - 1
  const backupEntries = usableEnd(gpt, disk) / disk.sector_bytes
  const primary = Buffer.from(gpt.header)
  primary.writeBigUInt64LE(BigInt(last), GPT_AT.other)
  primary.writeBigUInt64LE(BigInt(backupEntries - 1), GPT_AT.lastUsable)
  primary.writeUInt32LE(crc32(gpt.entries), GPT_AT.entriesCrc)
  const backup = Buffer.from(primary)
  backup.writeBigUInt64LE(BigInt(last), GPT_AT.own)
  backup.writeBigUInt64LE(primary.readBigUInt64LE(GPT_AT.own), GPT_AT.other)
  backup.writeBigUInt64LE(BigInt(backupEntries), GPT_AT.entries)
  for (const header of [primary, backup]) header.writeUInt32LE(checksum(header, GPT_AT.headerCrc), GPT_AT.headerCrc)
  // The copy first: when the power fails between the two, one of them is whole.
  await writeAt(disk, backupEntries * disk.sector_bytes, gpt.entries)
  await writeAt(disk, last * disk.sector_bytes, padded(backup, disk.sector_bytes))
  await writeAt(disk, Number(primary.readBigUInt64LE(GPT_AT.entries)) * disk.sector_bytes, gpt.entries)
  await writeAt(disk, disk.sector_bytes, padded(primary, disk.sector_bytes))
  await growProtectiveMbr(disk, last)
}

const padded = (content: Buffer, size: number) => Buffer.concat([content, Buffer.alloc(size - content.length)])

/** Only the plain form, one entry of type EE; a hybrid MBR is somebody's intention. */
async function growProtectiveMbr(disk: DiskFile, last: number): Promise<void> {
  const mbr = await readAt(disk, 0, 512)
  if (mbr[450] !== 0xee || [466, 482, 498].some((at) => mbr[at] !== 0)) return
  mbr.writeUInt32LE(Math.min(last, 0xffffffff), 458)
  await writeAt(disk, 0, mbr)
}

/** Takes the first free number. @throws Error  all numbers are taken */
export function addGptPartition(
  gpt: Gpt,
  place: { start_bytes: number; end_bytes: number; sector_bytes: number; name: string },
): number {
  const { start_bytes, end_bytes, sector_bytes, name } = place
  const taken = new Set(gptPartitions(gpt, sector_bytes).map(({ number }) => number))
  const count = Math.floor(gpt.entries.length / gpt.entry_bytes)
  const number = Array.from({ length: count }, (_, index) => index + 1).find((candidate) => !taken.has(candidate))
  if (number === undefined) throw new Error(`all ${count} numbers of the GPT are taken`)
  const entry = gpt.entries.subarray((number - 1) * gpt.entry_bytes, number * gpt.entry_bytes)
  entry.fill(0)
  guidBytes(LINUX_TYPE).copy(entry, 0)
  guidBytes(randomUUID()).copy(entry, 16)
  entry.writeBigUInt64LE(BigInt(start_bytes / sector_bytes), 32)
  entry.writeBigUInt64LE(BigInt(end_bytes / sector_bytes - 1), 40)
  entry.write(name, NAME_AT, 'utf16le')
  return number
}

/** The first three parts are little-endian. */
export function guidBytes(guid: string): Buffer {
  const [a = '', b = '', c = '', ...rest] = guid.split('-')
  const little = [a, b, c].map((part) => Buffer.from(part, 'hex').reverse())
  return Buffer.concat([...little, Buffer.from(rest.join(''), 'hex')])
}
