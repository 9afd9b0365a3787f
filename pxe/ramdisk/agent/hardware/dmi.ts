/**
 * What the firmware tells of the machine: maker, serial number, memory modules. Reads /sys/class/dmi and the SMBIOS
 * table.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readText } from './sysfs.ts'

export type SystemVendor = {
  product_name: string
  serial_number: string
  manufacturer: string
  firmware: { vendor: string; version: string; build_date: string }
}

export async function readSystemVendor(root: string): Promise<SystemVendor> {
  const read = async (name: string) => (await readText(join(root, 'sys/class/dmi/id', name))) ?? ''
  return {
    product_name: await read('product_name'),
    serial_number: await read('product_serial'),
    manufacturer: await read('sys_vendor'),
    firmware: {
      vendor: await read('bios_vendor'),
      version: await read('bios_version'),
      build_date: await read('bios_date'),
    },
  }
}

const MEMORY_DEVICE = 17
const END_OF_TABLE = 127

/** Sum of the memory modules; undefined without an SMBIOS table. @source SMBIOS (DSP0134) section 7.18, type 17 */
export async function physicalMemoryMb(root: string): Promise<number | undefined> {
  const table = await readFile(join(root, 'sys/firmware/dmi/tables/DMI')).catch(() => undefined)
  if (!table) return undefined
  let total_mb = 0
  for (let at = 0; at + 4 <= table.length; ) {
    const [type, length] = [table[at], table[at + 1] ?? 0]
    if (type === END_OF_TABLE || length < 4) break
    if (type === MEMORY_DEVICE && length >= 0x0e) total_mb += moduleSizeMb(table.subarray(at, at + length))
    const texts = table.indexOf('\0\0', at + length, 'latin1')
    if (texts < 0) break
    at = texts + 2
  }
  return total_mb || undefined
}

function moduleSizeMb(entry: Buffer): number {
  const size = entry.readUInt16LE(0x0c)
  if (size === 0xffff) return 0
  if (size === 0x7fff && entry.length >= 0x20) return entry.readUInt32LE(0x1c) & 0x7fffffff
  return size & 0x8000 ? (size & 0x7fff) / 1024 : size
}
