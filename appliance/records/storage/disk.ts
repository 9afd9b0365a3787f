/**
 * The few file-system calls that durability rests on, in one place so that tests can count them and let them fail.
 * Knows no records.
 */
import { type FileHandle, link, open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isMissing } from '@appliance/ground/errno'
import { sync } from '@appliance/ground/files'

export type DiskFile = Pick<FileHandle, 'write' | 'datasync' | 'truncate' | 'close'>
export type Disk = {
  open(path: string, flags: string, mode: number): Promise<DiskFile>
  rename(from: string, to: string): Promise<void>
  link(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  /** Makes the names in a folder durable. */
  syncFolder(path: string): Promise<void>
}

/** Records hold what concerns nobody else on the box, even with their secrets encrypted. */
export const FILE_MODE = 0o600
export const FOLDER_MODE = 0o700
/** Of a file that is being written and not yet renamed into its place. */
export const NEW_SUFFIX = '.new'

export const disk: Disk = {
  open,
  rename,
  link,
  unlink,
  syncFolder: sync,
}

/** write(2) may take less than it is given; a disk that takes nothing is full. */
export async function writeAll(file: DiskFile, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done)
    if (bytesWritten === 0) throw Object.assign(new Error('ENOSPC: the disk takes no more bytes'), { code: 'ENOSPC' })
    done += bytesWritten
  }
}

/** Writes a new file whose bytes are durable; its name is so after `syncFolder`. */
export async function writeFileDurably(on: Disk, path: string, text: string): Promise<void> {
  const file = await on.open(path, 'w', FILE_MODE)
  try {
    await writeAll(file, Buffer.from(text), 0)
    await file.datasync()
  } finally {
    await file.close()
  }
}

export async function unlinkIfThere(on: Disk, path: string): Promise<void> {
  try {
    await on.unlink(path)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

export const folderOf = dirname
