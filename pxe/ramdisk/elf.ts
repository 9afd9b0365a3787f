/** Reads what a build needs to know of 64-bit little-endian ELF files: libraries, sections, where the loaded part ends. Runs nothing. */

const SHT_DYNAMIC = 6
const DT_NEEDED = 1n
const PROGRAM_HEADER_BYTES = 56
const SECTION_HEADER_BYTES = 64
const DYNAMIC_ENTRY_BYTES = 16

type Section = { name: string; type: number; offset: number; size: number; link: number }

export const isElf = (file: Buffer) => file.length > 64 && file.readUInt32BE(0) === 0x7f454c46 && file[4] === 2

/** @throws RangeError  the file is cut off */
function sectionsOf(file: Buffer): Section[] {
  const start = Number(file.readBigUInt64LE(40))
  const count = file.readUInt16LE(60)
  const headers = Array.from({ length: count }, (_, index) => {
    const at = start + index * SECTION_HEADER_BYTES
    return {
      nameAt: file.readUInt32LE(at),
      type: file.readUInt32LE(at + 4),
      offset: Number(file.readBigUInt64LE(at + 24)),
      size: Number(file.readBigUInt64LE(at + 32)),
      link: file.readUInt32LE(at + 40),
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

/** The sonames that the dynamic loader will look for. */
export function neededLibraries(file: Buffer): string[] {
  const sections = sectionsOf(file)
  const dynamic = sections.find(({ type }) => type === SHT_DYNAMIC)
  const strings = dynamic && sections[dynamic.link]
  if (!dynamic || !strings) return []
  const needed: string[] = []
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += DYNAMIC_ENTRY_BYTES) {
    if (file.readBigUInt64LE(at) !== DT_NEEDED) continue
    needed.push(textAt(file, strings.offset + Number(file.readBigUInt64LE(at + 8))))
  }
  return needed
}

/** Without symbols and section table: all that follows what is loaded. Debian's machines need no binutils for it. */
export function stripped(file: Buffer): Buffer {
  const start = Number(file.readBigUInt64LE(32))
  const count = file.readUInt16LE(56)
  let end = start + count * PROGRAM_HEADER_BYTES
  for (let at = start; at < start + count * PROGRAM_HEADER_BYTES; at += PROGRAM_HEADER_BYTES) {
    end = Math.max(end, Number(file.readBigUInt64LE(at + 8)) + Number(file.readBigUInt64LE(at + 32)))
  }
  const copy = Buffer.from(file.subarray(0, end))
  copy.writeBigUInt64LE(0n, 40)
  copy.writeUInt32LE(0, 60)
  return copy
}
