/**
 * What the cache knows of an image: the file entry.json beside it. Vouches for sizes, so that a damaged entry is
 * noticed and made anew.
 */
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { leadsNowhere } from '@appliance/ground/errno'
import { replaceFile } from '@appliance/ground/files'
import { z } from 'zod'

const checksum = z.object({ algorithm: z.string(), value: z.string() })
const size = z.number().int().positive()
const record = z.object({
  version: z.literal(1),
  /** Where it came from, without secrets; for people. */
  source: z.string(),
  /** By content, before any conversion. */
  detected: z.string(),
  /** file: whatever it is, it is handed out as it came. */
  format: z.enum(['raw', 'qcow2', 'file']),
  size_bytes: size,
  checksum,
  variants: z.array(z.object({ encoding: z.enum(['zstd', 'gzip']), size_bytes: size, checksum })),
})
export type EntryRecord = z.infer<typeof record>
export type Entry = EntryRecord & { key: string; folder: string }

export const RECORD = 'entry.json'
/** Of the image itself and of its compressed forms. */
export const FILES = { identity: 'image', zstd: 'image.zst', gzip: 'image.gz' } as const
export type Encoding = keyof typeof FILES

export const fileOf = (folder: string, encoding: Encoding) => join(folder, FILES[encoding])

export async function writeEntry(folder: string, entry: EntryRecord): Promise<void> {
  await replaceFile(join(folder, RECORD), `${JSON.stringify(record.parse(entry), null, 2)}\n`)
}

/** @returns undefined  no such entry, or one whose files are not what it says */
export async function readEntry(folder: string, key: string): Promise<Entry | undefined> {
  try {
    const entry = record.parse(JSON.parse(await readFile(join(folder, RECORD), 'utf8')))
    const sizes = await Promise.all([
      sizeOf(folder, 'identity'),
      ...entry.variants.map((v) => sizeOf(folder, v.encoding)),
    ])
    const isWhole =
      sizes[0] === entry.size_bytes && entry.variants.every((v, index) => sizes[index + 1] === v.size_bytes)
    return isWhole ? { ...entry, key, folder } : undefined
  } catch (error) {
    if (leadsNowhere(error) || error instanceof SyntaxError || error instanceof z.ZodError) return undefined
    throw error
  }
}

const sizeOf = async (folder: string, encoding: Encoding) => (await stat(fileOf(folder, encoding))).size
