/**
 * What firmware finds to start in an ISO 9660 image: its El Torito boot catalogue. Untrusted: nothing outside of the
 * image is named. @source El Torito Bootable CD-ROM Format Specification 1.0, sections 1.4 and 2
 */
import type { FileHandle } from 'node:fs/promises'

export type BootImage = {
  firmware: 'bios' | 'uefi'
  /** What a BIOS would make of it: the ISO's own drive, or another one. */
  emulates: 'nothing' | 'floppy' | 'hard disk'
  /** Of a floppy: in the ISO. Of others the catalogue does not tell the size. */
  start_bytes: number
  size_bytes: number
}

const SECTOR_BYTES = 2048
const RECORD_SECTOR = 17
const ENTRY_BYTES = 32
/** The specification sets none; a catalogue has one sector as a rule. */
const CATALOGUE_BYTES = 4 * SECTOR_BYTES
const KIB = 1024
/** By the low four bits of the media type: disks of 1.2, 1.44 and 2.88 MB. */
const FLOPPY_BYTES: Readonly<Record<number, number>> = { 1: 1200 * KIB, 2: 1440 * KIB, 3: 2880 * KIB }
const HARD_DISK = 4
const FIRMWARE: Readonly<Record<number, BootImage['firmware']>> = { 0: 'bios', 239: 'uefi' }
const BOOTABLE = 0x88
const SECTION = [0x90, 0x91]

/** @param size_bytes  of the ISO. @returns in the order of the catalogue; none when it has no catalogue */
export async function bootImagesOf(iso: FileHandle, size_bytes: number): Promise<readonly BootImage[]> {
  const record = await read(iso, RECORD_SECTOR * SECTOR_BYTES, SECTOR_BYTES)
  if (record.toString('latin1', 1, 6) !== 'CD001' || !record.toString('latin1', 7).startsWith('EL TORITO')) return []
  const catalogue = await read(iso, record.readUInt32LE(0x47) * SECTOR_BYTES, CATALOGUE_BYTES)
  const isValid = catalogue[0] === 1 && catalogue[0x1e] === 0x55 && catalogue[0x1f] === 0xaa
  return isValid
    ? imagesIn(catalogue).filter(({ start_bytes: start, size_bytes: size }) => start + size <= size_bytes)
    : []
}

function imagesIn(catalogue: Buffer): BootImage[] {
  const images: BootImage[] = []
  let platform = catalogue[1] ?? 0
  for (let at = ENTRY_BYTES; at + ENTRY_BYTES <= catalogue.length; at += ENTRY_BYTES) {
    const kind = catalogue[at] ?? 0
    if (SECTION.includes(kind)) platform = catalogue[at + 1] ?? 0
    const firmware = FIRMWARE[platform]
    if (kind !== BOOTABLE || firmware === undefined) continue
    const media = (catalogue[at + 1] ?? 0) & 0x0f
    const floppy_bytes = FLOPPY_BYTES[media]
    images.push({
      firmware,
      emulates: floppy_bytes !== undefined ? 'floppy' : media === HARD_DISK ? 'hard disk' : 'nothing',
      start_bytes: catalogue.readUInt32LE(at + 8) * SECTOR_BYTES,
      size_bytes: floppy_bytes ?? 0,
    })
  }
  return images
}

/** Zeros stand for what lies behind the end. */
async function read(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  await file.read(buffer, 0, length, position)
  return buffer
}
