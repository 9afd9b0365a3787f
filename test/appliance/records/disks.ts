/** Disks that are not as they should be: one that counts, one that gets full, one that breaks. All write real files. */
import { type Disk, type DiskFile, disk as realDisk } from '../../../appliance/records/storage/disk.ts'

type FileChange = (file: DiskFile) => Partial<DiskFile>

/** The real disk, with some calls of its files replaced. */
function diskWith(change: FileChange, others: Partial<Disk> = {}): Disk {
  return {
    ...realDisk,
    async open(path, flags, mode) {
      const file = await realDisk.open(path, flags, mode)
      const own: DiskFile = {
        write: file.write.bind(file),
        datasync: () => file.datasync(),
        truncate: (length) => file.truncate(length),
        close: () => file.close(),
      }
      return { ...own, ...change(own) }
    },
    ...others,
  }
}

/** Counts what costs time on a disk: waiting until something is durable. */
export function countingDisk(): { disk: Disk; syncs(): number } {
  let syncs = 0
  const disk = diskWith(
    (file) => ({
      async datasync() {
        syncs++
        await file.datasync()
      },
    }),
    {
      async syncFolder(path) {
        syncs++
        await realDisk.syncFolder(path)
      },
    },
  )
  return { disk, syncs: () => syncs }
}

const failure = (code: string, text: string) => Object.assign(new Error(`${code}: ${text}, write`), { code })

/** Takes so many bytes more, the last of them of a write that it takes in part. */
export function fullDisk(): { disk: Disk; leave(bytes: number): void } {
  let left = Number.POSITIVE_INFINITY
  const disk = diskWith((file) => ({
    write: (async (bytes: Uint8Array, offset: number, length: number, position: number) => {
      if (left === 0) throw failure('ENOSPC', 'no space left on device')
      const taken = Math.min(left, length)
      left -= taken
      return file.write(bytes, offset, taken, position)
    }) as DiskFile['write'],
  }))
  return { disk, leave: (bytes) => (left = bytes) }
}

/** Whose syncs fail while it is broken: what was written since the last one may be gone. */
export function brokenDisk(): { disk: Disk; isBroken(yes: boolean): void } {
  let broken = false
  const disk = diskWith((file) => ({
    async datasync() {
      if (broken) throw failure('EIO', 'i/o error')
      await file.datasync()
    },
  }))
  return { disk, isBroken: (yes) => (broken = yes) }
}
