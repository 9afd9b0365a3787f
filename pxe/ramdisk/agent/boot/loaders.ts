/**
 * Which boot loader the firmware is to start, by what lies on an EFI system partition. Its files are the tenant's:
 * few, short, looked at only.
 * @source ironic-python-agent efi_utils.py; shim's fallback.c for BOOT<arch>.CSV
 */
import { open, readdir } from 'node:fs/promises'
import { arch } from 'node:os'
import { join } from 'node:path'

export type Loader = {
  /** \EFI\debian\shimx64.efi */
  path: string
  label: string
}
export type Loaders = {
  /** undefined: none at all. */
  best: Loader | undefined
  /** The firmware finds \EFI\BOOT by itself. */
  has_fallback: boolean
}

/** As ironic-python-agent calls its first entry, so that either agent replaces the other's. */
const LABEL = 'ironic1'
const SUFFIXES: Readonly<Record<string, string>> = { x64: 'x64', arm64: 'aa64' }
const FOLDERS_LIMIT = 64
const CSV_LIMIT_BYTES = 4096
const LABEL_LIMIT = 64
/** In the order in which one is taken, where no CSV file names one. */
const KNOWN = ['shim', 'grub', 'systemd-boot']

/** @param folder  where the partition is mounted */
export async function loadersOn(folder: string): Promise<Loaders> {
  const suffix = SUFFIXES[arch()] ?? arch()
  const efi = await named(folder, 'efi')
  const names = efi === undefined ? [] : (await namesIn(join(folder, efi))).sort().slice(0, FOLDERS_LIMIT)
  const vendors = await Promise.all(
    names.map(async (name) => ({
      name,
      path: join(folder, efi ?? '', name),
      files: await namesIn(join(folder, efi ?? '', name)),
    })),
  )
  const boot = vendors.find(({ name }) => same(name, 'boot'))
  const fallback = boot?.files.find((file) => same(file, `boot${suffix}.efi`))
  const pathOf = (vendor: string, file: string) => `\\${efi}\\${vendor}\\${file}`
  for (const { name, path, files } of vendors) {
    const told = await toldByCsv(path, files, suffix)
    if (told)
      return {
        best: { path: pathOf(name, told.file), label: printable(told.label) || printable(name) || LABEL },
        has_fallback: fallback !== undefined,
      }
  }
  if (boot && fallback) return { best: { path: pathOf(boot.name, fallback), label: LABEL }, has_fallback: true }
  for (const known of KNOWN) {
    for (const { name, files } of vendors) {
      const file = files.find((candidate) => same(candidate, `${known}${suffix}.efi`))
      if (file) return { best: { path: pathOf(name, file), label: LABEL }, has_fallback: false }
    }
  }
  return { best: undefined, has_fallback: false }
}

const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase()
const named = async (folder: string, name: string) => (await namesIn(folder)).find((entry) => same(entry, name))
const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch(() => [])
/** Comes back from the firmware as it went there. */
const printable = (text: string) =>
  text
    .replace(/[^\x20-\x7e]/g, '')
    .trim()
    .slice(0, LABEL_LIMIT)
    .trim()

/** What the distribution itself says: file, label, arguments, description; the first line whose file is there. */
async function toldByCsv(folder: string, files: readonly string[], suffix: string) {
  for (const csv of [`boot${suffix}.csv`, 'boot.csv']) {
    const found = files.find((file) => same(file, csv))
    if (!found) continue
    for (const line of (await readUtf16(join(folder, found)).catch(() => '')).split(/\r?\n/)) {
      const [wanted = '', label = ''] = line.split(',')
      const file = files.find((candidate) => same(candidate, wanted.trim()) && /^[\w.+-]{1,64}\.efi$/i.test(candidate))
      if (file) return { file, label }
    }
  }
  return undefined
}

async function readUtf16(path: string): Promise<string> {
  await using file = await open(path, 'r')
  const { buffer, bytesRead } = await file.read(Buffer.alloc(CSV_LIMIT_BYTES), 0, CSV_LIMIT_BYTES, 0)
  return buffer.toString('utf16le', 0, bytesRead - (bytesRead % 2)).replace(/^\ufeff/, '')
}
