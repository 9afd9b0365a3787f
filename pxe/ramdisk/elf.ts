/**
 * Reads what a build needs to know of 64-bit little-endian ELF files: libraries, sections, where the loaded part
 * ends. Runs nothing.
 */

const PT_LOAD = 1
const PT_DYNAMIC = 2
const DT_NEEDED = 1n
const DT_STRTAB = 5n
const DT_RUNPATH = 29n
const PROGRAM_HEADER_BYTES = 56
const SECTION_HEADER_BYTES = 64
const DYNAMIC_ENTRY_BYTES = 16

type Section = { name: string; offset: number; size: number }
/** What the loader maps: `address` in memory, `offset` in the file. */
type Segment = { type: number; offset: number; address: number; size: number }

export const isElf = (file: Buffer) => file.length > 64 && file.readUInt32BE(0) === 0x7f454c46 && file[4] === 2

/** @throws RangeError  the file is cut off */
function sectionsOf(file: Buffer): Section[] {
  const start = Number(file.readBigUInt64LE(40))
  const count = file.readUInt16LE(60)
  const headers = Array.from({ length: count }, (_, index) => {
    const at = start + index * SECTION_HEADER_BYTES
    return {
      nameAt: file.readUInt32LE(at),
      offset: Number(file.readBigUInt64LE(at + 24)),
      size: Number(file.readBigUInt64LE(at + 32)),
    }
  })
  const names = headers[file.readUInt16LE(62)]
  return headers.map(({ nameAt, ...rest }) => ({ ...rest, name: names ? textAt(file, names.offset + nameAt) : '' }))
}

function textAt(file: Buffer, at: number): string {
  return file.toString('latin1', at, file.indexOf(0, at))
}

/** Contents of a section, or undefined when there is none of that name. */
export function sectionOf(file: Buffer, name: string): Buffer | undefined {
  const section = sectionsOf(file).find((candidate) => candidate.name === name)
  return section && file.subarray(section.offset, section.offset + section.size)
}

/** @throws RangeError  the file is cut off */
function segmentsOf(file: Buffer): Segment[] {
  const start = Number(file.readBigUInt64LE(32))
  return Array.from({ length: file.readUInt16LE(56) }, (_, index) => {
    const at = start + index * PROGRAM_HEADER_BYTES
    return {
      type: file.readUInt32LE(at),
      offset: Number(file.readBigUInt64LE(at + 8)),
      address: Number(file.readBigUInt64LE(at + 16)),
      size: Number(file.readBigUInt64LE(at + 32)),
    }
  })
}

/** The sonames that the dynamic loader will look for; found as it finds them, so that a stripped file has them too. */
export const neededLibraries = (file: Buffer): string[] => dynamicTexts(file, DT_NEEDED)

/** Folders in which it looks first, absolute. */
export const libraryFolders = (file: Buffer): string[] =>
  dynamicTexts(file, DT_RUNPATH)
    .flatMap((paths) => paths.split(':'))
    .filter((path) => path.startsWith('/'))

function dynamicTexts(file: Buffer, wanted: bigint): string[] {
  const segments = segmentsOf(file)
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC)
  if (!dynamic) return []
  const entries: (readonly [bigint, number])[] = []
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += DYNAMIC_ENTRY_BYTES) {
    entries.push([file.readBigUInt64LE(at), Number(file.readBigUInt64LE(at + 8))])
  }
  const address = entries.find(([tag]) => tag === DT_STRTAB)?.[1] ?? -1
  const holder = segments.find((part) => {
    return part.type === PT_LOAD && address >= part.address && address < part.address + part.size
  })
  if (!holder) return []
  const strings = address - holder.address + holder.offset
  return entries.filter(([tag]) => tag === wanted).map(([, name]) => textAt(file, strings + name))
}

/** Without symbols and section table: all that follows what is loaded. Debian's machines need no binutils for it. */
export function stripped(file: Buffer): Buffer {
  const headersEnd = Number(file.readBigUInt64LE(32)) + file.readUInt16LE(56) * PROGRAM_HEADER_BYTES
  const end = Math.max(headersEnd, ...segmentsOf(file).map(({ offset, size }) => offset + size))
  const copy = Buffer.from(file.subarray(0, end))
  copy.writeBigUInt64LE(0n, 40)
  copy.writeUInt16LE(0, 60)
  copy.writeUInt16LE(0, 62)
  return copy
}
