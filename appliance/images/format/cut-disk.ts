/**
 * Whether a raw disk lacks its end: its partition table says how far it must reach. Pure; looks at the disk's beginning
 * alone.
 */
import { ImageUnacceptable } from '../../errors.ts'

const SIGNATURE = 'EFI PART'
const SECTORS_BYTES = [512, 4096]
/** Of a GPT's header: where its entries begin, how many there are, how large each is. @source UEFI 2.10, table 5.5 */
const [ENTRIES_AT, COUNT_AT, SIZE_AT] = [72, 80, 84]
const GPT_ENTRY_BYTES = 128
/** Of an MBR: four entries of 16 bytes, then its signature. @source UEFI 2.10, table 5.1 */
const [MBR_ENTRIES_AT, MBR_ENTRY_BYTES, MBR_SIGNATURE_AT, MBR_SIGNATURE] = [446, 16, 510, 0xaa55]
const PROTECTIVE = 0xee

/**
 * A missing second partition table alone is let through: whoever writes the disk makes it anew.
 * @param head  the disk's first 64 KiB, or all of it
 * @throws ImageUnacceptable
 */
export function refuseCutDisk(head: Buffer, size_bytes: number, shown: string): void {
  const needed = Math.max(0, ...(gptEnds(head) ?? mbrStarts(head)))
  if (needed <= size_bytes) return
  throw new ImageUnacceptable(
    `Image ${shown} is cut short: its partitions reach to byte ${needed}, and the disk in it ends at byte ${size_bytes}. Copy it again from where it is whole, and state that file's checksum.`,
  )
}

/**
 * Where its partitions end. Entries that lie elsewhere than usual are not looked at. @returns undefined: there is no
 * GPT
 */
function gptEnds(head: Buffer): number[] | undefined {
  const sector_bytes = SECTORS_BYTES.find((at) => head.toString('latin1', at, at + SIGNATURE.length) === SIGNATURE)
  if (sector_bytes === undefined || head.length < sector_bytes * 2) return undefined
  const header = head.subarray(sector_bytes)
  const [at, count, entry_bytes] = [
    Number(header.readBigUInt64LE(ENTRIES_AT)) * sector_bytes,
    header.readUInt32LE(COUNT_AT),
    header.readUInt32LE(SIZE_AT),
  ]
  if (entry_bytes < GPT_ENTRY_BYTES) return []
  const inside = Math.min(count, Math.max(0, Math.floor((head.length - at) / entry_bytes)))
  return Array.from({ length: inside }, (_, index) => head.subarray(at + index * entry_bytes))
    .filter((entry) => entry.subarray(0, 16).some((byte) => byte !== 0))
    .map((entry) => (Number(entry.readBigUInt64LE(40)) + 1) * sector_bytes)
}

/**
 * Where its partitions start: the last one may reach beyond an image that is to grow (OpenWrt). None, when it is no MBR
 * for certain.
 */
function mbrStarts(head: Buffer): number[] {
  if (head.length < 512 || head.readUInt16LE(MBR_SIGNATURE_AT) !== MBR_SIGNATURE) return []
  const entries = Array.from({ length: 4 }, (_, index) => head.subarray(MBR_ENTRIES_AT + index * MBR_ENTRY_BYTES))
  const isMbr = entries.every(([status]) => status === 0 || status === 0x80) && !hasFileSystem(head)
  if (!isMbr) return []
  return entries
    .filter((entry) => entry[4] !== 0 && entry[4] !== PROTECTIVE && entry.readUInt32LE(12) > 0)
    .map((entry) => (entry.readUInt32LE(8) + 1) * 512)
}

/** The boot sector of FAT or NTFS has the same signature, and its sector size where an MBR has code. */
const hasFileSystem = (head: Buffer) => [512, 1024, 2048, 4096].includes(head.readUInt16LE(11))
