/** Small 64-bit little-endian ELF files for tests: a library with its needs, or a kernel module with its .modinfo. */

const HEADER = 64
const PROGRAM_HEADER = 56
const SECTION_HEADER = 64
/** Where a library's bytes are in memory, as seen from the file. */
const ADDRESS = 0x400000

function header(count: { programs: number; sections: number; sectionsAt: number }): Buffer {
  const file = Buffer.alloc(HEADER)
  file.write('\x7fELF\x02\x01\x01', 'latin1')
  file.writeBigUInt64LE(BigInt(HEADER), 32)
  file.writeBigUInt64LE(BigInt(count.sectionsAt), 40)
  file.writeUInt16LE(count.programs, 56)
  file.writeUInt16LE(count.sections, 60)
  file.writeUInt16LE(Math.max(0, count.sections - 1), 62)
  return file
}

/** With symbols behind what is loaded, which stripping takes away. */
export function libraryOnPaper(needed: readonly string[], symbols = '', runpath?: string): Buffer {
  const texts = [...needed, ...(runpath === undefined ? [] : [runpath])]
  const strings = Buffer.from(`\0${texts.map((name) => `${name}\0`).join('')}`)
  const stringsAt = HEADER + 2 * PROGRAM_HEADER
  const dynamicAt = stringsAt + strings.length
  const at = (text: string) => strings.indexOf(`\0${text}\0`) + 1
  const path = runpath === undefined ? [] : [[29, at(runpath)]]
  const entries = [...needed.map((name) => [1, at(name)]), ...path, [5, ADDRESS + stringsAt], [0, 0]]
  const dynamic = Buffer.alloc(entries.length * 16)
  for (const [index, [tag = 0, value = 0]] of entries.entries()) {
    dynamic.writeBigUInt64LE(BigInt(tag), index * 16)
    dynamic.writeBigUInt64LE(BigInt(value), index * 16 + 8)
  }
  const segment = (type: number, offset: number, size: number) => {
    const part = Buffer.alloc(PROGRAM_HEADER)
    part.writeUInt32LE(type, 0)
    part.writeBigUInt64LE(BigInt(offset), 8)
    part.writeBigUInt64LE(BigInt(ADDRESS + offset), 16)
    part.writeBigUInt64LE(BigInt(size), 32)
    return part
  }
  const end = dynamicAt + dynamic.length
  const segments = [segment(1, 0, end), segment(2, dynamicAt, dynamic.length)]
  const parts = [header({ programs: 2, sections: 0, sectionsAt: 0 }), ...segments, strings, dynamic]
  return Buffer.concat([...parts, Buffer.from(symbols)])
}

/** @param modinfo  lines such as `depends=mii,libphy` */
export function moduleOnPaper(...modinfo: readonly string[]): Buffer {
  const content = Buffer.from(modinfo.map((line) => `${line}\0`).join(''))
  const names = Buffer.from('\0.modinfo\0')
  const section = (nameAt: number, offset: number, size: number) => {
    const part = Buffer.alloc(SECTION_HEADER)
    part.writeUInt32LE(nameAt, 0)
    part.writeBigUInt64LE(BigInt(offset), 24)
    part.writeBigUInt64LE(BigInt(size), 32)
    return part
  }
  const sectionsAt = HEADER + content.length + names.length
  const sections = [section(1, HEADER, content.length), section(0, HEADER + content.length, names.length)]
  return Buffer.concat([header({ programs: 0, sections: 2, sectionsAt }), content, names, ...sections])
}
