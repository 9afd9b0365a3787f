/**
 * Every partition that any table on a disk names, also a damaged table, its copy, or one that was made for other
 * sectors: for those who must not overlook one. Who writes by a table reads partition-table.ts.
 */
import { type DiskFile, type Partition, readAt } from './disk-file.ts'
import { ENTRIES_LIMIT_BYTES, GPT_AT, GPT_HEADER_BYTES, GPT_SIGNATURE } from './gpt.ts'
import { entryAt, readMbr } from './mbr.ts'

/** An MBR's byte, or the 16 bytes of a GPT's GUID. */
export type TypedPartition = Partition & { type: number | Buffer }

const SECTORS = [512, 4096]
const EXTENDED: ReadonlySet<number> = new Set([0x05, 0x0f, 0x85])
const LOGICAL_LIMIT = 256
const FIRST_LOGICAL = 5

/** @throws Error  the disk cannot be read */
export async function allPartitions(disk: DiskFile): Promise<TypedPartition[]> {
  const found: TypedPartition[] = []
  for (const sector_bytes of new Set([disk.sector_bytes, ...SECTORS])) {
    const sectors = Math.floor(disk.size_bytes / sector_bytes)
    for (const header of [1, sectors - 1]) found.push(...(await gptEntries(disk, header, sector_bytes)))
    found.push(...(await mbrEntries(disk, sector_bytes)))
  }
  return found.filter(({ start_bytes }) => start_bytes < disk.size_bytes)
}

async function gptEntries(disk: DiskFile, sector: number, sector_bytes: number): Promise<TypedPartition[]> {
  if (sector < 1) return []
  const header = await readAt(disk, sector * sector_bytes, GPT_HEADER_BYTES)
  if (header.length < GPT_HEADER_BYTES || header.toString('latin1', 0, 8) !== GPT_SIGNATURE) return []
  const entry_bytes = header.readUInt32LE(GPT_AT.size)
  const bytes = Math.min(header.readUInt32LE(GPT_AT.count) * entry_bytes, ENTRIES_LIMIT_BYTES)
  const start = Number(header.readBigUInt64LE(GPT_AT.entries)) * sector_bytes
  if (entry_bytes < 128 || start >= disk.size_bytes) return []
  const entries = await readAt(disk, start, bytes)
  const count = Math.floor(entries.length / entry_bytes)
  return Array.from({ length: count }, (_, index) => {
    const entry = entries.subarray(index * entry_bytes, (index + 1) * entry_bytes)
    return {
      number: index + 1,
      type: entry.subarray(0, 16),
      start_bytes: Number(entry.readBigUInt64LE(32)) * sector_bytes,
      end_bytes: (Number(entry.readBigUInt64LE(40)) + 1) * sector_bytes,
    }
  }).filter(({ type }) => type.some((byte) => byte !== 0))
}

type Entry = { type: number; start: number; count: number }

const entriesOf = (sector: Buffer): Entry[] =>
  [0, 1, 2, 3].map((index) => {
    const entry = entryAt(sector, index)
    return { type: entry[4] ?? 0, start: entry.readUInt32LE(8), count: entry.readUInt32LE(12) }
  })

const isUsed = ({ type, count }: Entry) => type !== 0 && count > 0

async function mbrEntries(disk: DiskFile, sector_bytes: number): Promise<TypedPartition[]> {
  const mbr = await readMbr(disk)
  if (!mbr) return []
  const partition = (number: number, { type, count }: Entry, start: number): TypedPartition => ({
    number,
    type,
    start_bytes: start * sector_bytes,
    end_bytes: (start + count) * sector_bytes,
  })
  const found: TypedPartition[] = []
  for (const [index, entry] of entriesOf(mbr.sector).entries()) {
    if (!isUsed(entry)) continue
    found.push(partition(index + 1, entry, entry.start))
    if (!EXTENDED.has(entry.type)) continue
    for await (const [logical, start] of logicalEntries(disk, entry.start, sector_bytes)) {
      found.push(
        partition(FIRST_LOGICAL + found.filter(({ number }) => number >= FIRST_LOGICAL).length, logical, start),
      )
    }
  }
  return found
}

/** A chain: each sector names one logical partition, and where the next such sector is. */
async function* logicalEntries(
  disk: DiskFile,
  extended: number,
  sector_bytes: number,
): AsyncGenerator<[entry: Entry, start: number]> {
  let at = extended
  for (let links = 0; links < LOGICAL_LIMIT; links++) {
    const sector = await readAt(disk, at * sector_bytes, 512)
    if (sector.length < 512 || sector.readUInt16LE(510) !== 0xaa55) return
    const used = entriesOf(sector).filter(isUsed)
    for (const entry of used.filter(({ type }) => !EXTENDED.has(type))) yield [entry, at + entry.start]
    const next = used.find(({ type }) => EXTENDED.has(type))
    if (!next) return
    at = extended + next.start
  }
}
