/**
 * An open disk with its geometry, and the few things that only a block device does. Regular files stand in for disks.
 */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { messageOf } from '../errors.ts'
import type { Disk } from '../hardware/disks.ts'
import type { Programs } from '../programs.ts'

/** `end_bytes` is the first byte behind it. */
export type Partition = { number: number; start_bytes: number; end_bytes: number }

export type DiskFile = AsyncDisposable & {
  file: FileHandle
  path: string
  size_bytes: number
  sector_bytes: number
}

const REREAD_ATTEMPTS = 10
const REREAD_PAUSE_MS = 300

export const diskPath = (root: string, disk: Pick<Disk, 'name'>) => join(root, disk.name)

/**
 * @param o.exclusive  not when it, or a partition of its, is mounted or part of something that is active: EBUSY
 * @param o.flags  O_RDWR when left out
 */
export async function openDisk(
  root: string,
  disk: Pick<Disk, 'name' | 'size' | 'logical_sectors'>,
  o: { exclusive?: boolean; flags?: number } = {},
): Promise<DiskFile> {
  const path = diskPath(root, disk)
  const file = await open(path, (o.flags ?? constants.O_RDWR) | (o.exclusive ? constants.O_EXCL : 0))
  return {
    file,
    path,
    size_bytes: disk.size,
    sector_bytes: disk.logical_sectors,
    [Symbol.asyncDispose]: () => file.close(),
  }
}

export async function readAt(disk: DiskFile, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  const { bytesRead } = await disk.file.read(buffer, 0, length, position)
  return buffer.subarray(0, bytesRead)
}

/** @throws Error  the disk took less */
export async function writeAt(disk: DiskFile, position: number, content: Buffer): Promise<void> {
  for (let done = 0; done < content.length; ) {
    const { bytesWritten } = await disk.file.write(content, done, content.length - done, position + done)
    if (bytesWritten === 0) throw new Error(`${disk.path} takes no more at ${position + done}`)
    done += bytesWritten
  }
}

/**
 * Has the kernel read the partition table again. Whoever looks at the disk for partitions just then makes it busy.
 * @throws Error  it does not
 */
export async function rereadPartitions(path: string, programs: Programs): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await programs.run('blockdev', ['--rereadpt', path])
      return
    } catch (error) {
      if (attempt >= REREAD_ATTEMPTS)
        throw new Error(`The kernel does not read ${path} again: ${messageOf(error)}`, { cause: error })
    }
    await pause(REREAD_PAUSE_MS)
  }
}
