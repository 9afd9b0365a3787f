/**
 * Whether firmware could start a raw disk. What is on it may be a stranger's, who says that all went well: believes
 * nothing of it.
 */
import { type FileHandle, open } from 'node:fs/promises'

type Partition = { type: string; start_bytes: number; end_bytes: number }

const SECTOR_BYTES = 512
const SIGNATURE = 'EFI PART'
/** Of a GPT's header: where its entries begin, how many there are, how large each is. @source UEFI 2.10, table 5.5 */
const [ENTRIES_AT, COUNT_AT, SIZE_AT] = [72, 80, 84]
const ENTRY_LIMIT_BYTES = 4096
const ENTRIES_LIMIT_BYTES = 64 * 1024
/** What firmware starts from: the EFI system partition, and the place of GRUB's core for BIOS. */
const BOOT_TYPES: ReadonlySet<string> = new Set([
  'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
  '21686148-6449-6E6F-744E-656564454649',
])
/** Root by its architecture: x86-64, arm64. @source UAPI Discoverable Partitions Specification */
const ROOT_TYPES: ReadonlySet<string> = new Set([
  '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709',
  'B921B045-1DF0-41C3-AF44-4C6F280D3FAE',
])
/** A file system begins with something, ext4 with 1 KiB of nothing, btrfs with 64 KiB. */
const BEGINNING_BYTES = 128 * 1024

/** @returns why it certainly does not start; undefined: it may */
export async function whyNotBootable(path: string): Promise<string | undefined> {
  await using file = await open(path)
  const { size } = await file.stat()
  const partitions = await partitionsOf(file)
  if (partitions === undefined) return 'it has no partition table'
  const isThere = ({ start_bytes, end_bytes }: Partition) => start_bytes < end_bytes && end_bytes <= size
  const ofType = (types: ReadonlySet<string>) => partitions.filter((one) => types.has(one.type) && isThere(one))
  if (ofType(BOOT_TYPES).length === 0) return 'it has no partition to boot from'
  const [root, another] = ofType(ROOT_TYPES)
  if (!root) return 'it has no root partition'
  if (another) return 'it has more than one root partition'
  return (await isEmpty(file, root.start_bytes)) ? 'its root partition is empty' : undefined
}

/** @returns undefined: there is no GPT */
async function partitionsOf(file: FileHandle): Promise<Partition[] | undefined> {
  const header = await read(file, SECTOR_BYTES, SECTOR_BYTES)
  if (header.toString('latin1', 0, SIGNATURE.length) !== SIGNATURE) return undefined
  const entry_bytes = header.readUInt32LE(SIZE_AT)
  const bytes = entry_bytes * header.readUInt32LE(COUNT_AT)
  const isSane = entry_bytes >= 128 && entry_bytes <= ENTRY_LIMIT_BYTES && bytes <= ENTRIES_LIMIT_BYTES
  if (!isSane) return undefined
  const entries = await read(file, numberAt(header, ENTRIES_AT) * SECTOR_BYTES, bytes)
  return Array.from({ length: bytes / entry_bytes }, (_, index) => {
    const entry = entries.subarray(index * entry_bytes)
    const [first, last] = [numberAt(entry, 32), numberAt(entry, 40)]
    return { type: guidAt(entry), start_bytes: first * SECTOR_BYTES, end_bytes: (last + 1) * SECTOR_BYTES }
  })
}

/** Zeros where the file has ended. */
async function read(file: FileHandle, at: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes)
  if (Number.isSafeInteger(at)) await file.read(buffer, 0, bytes, at)
  return buffer
}

const isEmpty = async (file: FileHandle, at: number) => {
  const beginning = await read(file, at, BEGINNING_BYTES)
  return beginning.every((byte) => byte === 0)
}

const numberAt = (buffer: Buffer, at: number) => Number(buffer.readBigUInt64LE(at))

/** Its first three groups are little-endian. @source UEFI 2.10, appendix A */
function guidAt(entry: Buffer): string {
  const hex = (bytes: Buffer) => bytes.toString('hex').toUpperCase()
  const turned = (from: number, to: number) => hex(Buffer.from(entry.subarray(from, to)).reverse())
  return [turned(0, 4), turned(4, 6), turned(6, 8), hex(entry.subarray(8, 10)), hex(entry.subarray(10, 16))].join('-')
}
