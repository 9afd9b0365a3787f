/** A file that looks like a disk with an operating system, or like less. */
import { execFile } from 'node:child_process'
import { open, truncate, writeFile } from 'node:fs/promises'

const MIB = 1024 ** 2
const ROOT_AT = 10 * MIB
/** Where ext4 says that it is one. */
const MAGIC_AT = 1024 + 56
export const [BIOS_BOOT, EFI_SYSTEM, ROOT] = [
  '21686148-6449-6E6F-744E-656564454649',
  'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
  '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709',
]

/** @param types  of its partitions of 8 MiB each, the last one larger and beginning at 10 MiB */
export async function layOut(path: string, types: readonly string[] = [EFI_SYSTEM, ROOT]): Promise<void> {
  await writeFile(path, '')
  await truncate(path, 64 * MIB)
  if (types.length === 0) return
  const lines = types.map((type, index) => `${index < types.length - 1 ? 'size=8MiB, ' : ''}type=${type}`)
  await partition(path, `label: gpt\nfirst-lba: 2048\n\n${lines.join('\n').replace('size', 'start=2MiB, size')}\n`)
}

function partition(path: string, script: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }
    const child = execFile('sfdisk', ['--quiet', path], { env }, (error) => (error ? reject(error) : resolve()))
    child.stdin?.end(script)
  })
}

/** As if a file system were on its root. */
export async function fill(path: string, at = ROOT_AT): Promise<void> {
  await using file = await open(path, 'r+')
  await file.write(Buffer.from([0x53, 0xef]), 0, 2, at + MAGIC_AT)
}

export async function makeBootable(path: string): Promise<void> {
  await layOut(path)
  await fill(path)
}
