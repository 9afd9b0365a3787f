/**
 * A disk that remembers every operation, so that a test can ask what lies on it after a power cut at any of them:
 * what was not synced may be there or not. Real files lie behind it; a power cut is made in another folder.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { type Disk, type DiskFile, disk as realDisk } from '../../../appliance/records/storage/disk.ts'

type Inode = number
type Operation =
  | { do: 'write'; inode: Inode; position: number; bytes: Uint8Array }
  | { do: 'truncate'; inode: Inode; length: number }
  | { do: 'sync'; inode: Inode }
  | { do: 'name'; folder: string; adds?: string; inode?: Inode; removes?: string }
  | { do: 'syncFolder'; folder: string }

/**
 * What a power cut leaves of all that was not synced.
 * - nothing: the least that is promised
 * - everything: as after kill -9
 * - names: new names for old or empty contents
 * - torn: half of the last write, and every second name
 */
export const POWER_CUTS = ['nothing', 'everything', 'names', 'torn'] as const
export type PowerCut = (typeof POWER_CUTS)[number]

export class SimulatedDisk implements Disk {
  readonly #root: string
  readonly #operations: Operation[] = []
  readonly #inodes = new Map<string, Inode>()
  #lastInode = 0

  /** @param root  all files are below it */
  constructor(root: string) {
    this.#root = root
  }

  /** Operations so far. */
  get length(): number {
    return this.#operations.length
  }

  async open(path: string, flags: string, mode: number): Promise<DiskFile> {
    const file = await realDisk.open(path, flags, mode)
    const known = this.#inodes.get(path)
    const inode = known ?? ++this.#lastInode
    this.#inodes.set(path, inode)
    if (known) this.#operations.push({ do: 'truncate', inode, length: 0 })
    else this.#operations.push({ do: 'name', folder: dirname(path), adds: basename(path), inode })
    const note = (operation: Operation) => this.#operations.push(operation)
    const write = async (bytes: Uint8Array, offset: number, length: number, position: number) => {
      const done = await file.write(bytes, offset, length, position)
      note({ do: 'write', inode, position, bytes: Buffer.from(bytes.subarray(offset, offset + done.bytesWritten)) })
      return done
    }
    return {
      write: write as DiskFile['write'],
      async truncate(length = 0) {
        await file.truncate(length)
        note({ do: 'truncate', inode, length })
      },
      async datasync() {
        note({ do: 'sync', inode })
      },
      close: () => file.close(),
    }
  }

  async rename(from: string, to: string): Promise<void> {
    await realDisk.rename(from, to)
    const inode = this.#inodeOf(from)
    // rename(2) of two names of one file does nothing.
    if (this.#inodes.get(to) === inode) return
    this.#inodes.set(to, inode)
    this.#inodes.delete(from)
    this.#operations.push({ do: 'name', folder: dirname(to), adds: basename(to), inode, removes: basename(from) })
  }

  async link(from: string, to: string): Promise<void> {
    await realDisk.link(from, to)
    const inode = this.#inodeOf(from)
    this.#inodes.set(to, inode)
    this.#operations.push({ do: 'name', folder: dirname(to), adds: basename(to), inode })
  }

  async unlink(path: string): Promise<void> {
    await realDisk.unlink(path)
    this.#inodes.delete(path)
    this.#operations.push({ do: 'name', folder: dirname(path), removes: basename(path) })
  }

  async syncFolder(folder: string): Promise<void> {
    this.#operations.push({ do: 'syncFolder', folder })
  }

  /** Lays down in `folder` what a power cut after the n-th operation leaves. */
  cutPower(n: number, cut: PowerCut, folder: string): void {
    const operations = this.#operations.slice(0, n)
    const contents = contentsAfter(operations, cut)
    for (const [path, inode] of namesAfter(operations, cut)) {
      const target = join(folder, relative(this.#root, path))
      mkdirSync(dirname(target), { recursive: true })
      writeFileSync(target, contents.get(inode) ?? '')
    }
  }

  #inodeOf(path: string): Inode {
    const inode = this.#inodes.get(path)
    if (inode === undefined) throw new Error(`${path} was not written through this disk`)
    return inode
  }
}

function contentsAfter(operations: readonly Operation[], cut: PowerCut): Map<Inode, Buffer> {
  const written = new Map<Inode, Buffer>()
  const synced = new Map<Inode, Buffer>()
  const lastWrite = new Map<Inode, number>()
  for (const operation of operations) {
    if (operation.do === 'name' || operation.do === 'syncFolder') continue
    const before = written.get(operation.inode) ?? Buffer.alloc(0)
    if (operation.do === 'sync') {
      synced.set(operation.inode, before)
      lastWrite.delete(operation.inode)
    } else if (operation.do === 'truncate') written.set(operation.inode, before.subarray(0, operation.length))
    else {
      const { position, bytes } = operation
      written.set(operation.inode, Buffer.concat([before.subarray(0, position), bytes]))
      lastWrite.set(operation.inode, bytes.length)
    }
  }
  if (cut === 'everything') return written
  if (cut !== 'torn') return synced
  return new Map(
    [...written].map(([inode, bytes]) => [
      inode,
      bytes.subarray(0, bytes.length - Math.floor((lastWrite.get(inode) ?? 0) / 2)),
    ]),
  )
}

function namesAfter(operations: readonly Operation[], cut: PowerCut): Map<string, Inode> {
  const names = new Map<string, Inode>()
  const apply = ({ folder, adds, inode, removes }: Operation & { do: 'name' }) => {
    if (removes !== undefined) names.delete(join(folder, removes))
    if (adds !== undefined && inode !== undefined) names.set(join(folder, adds), inode)
  }
  let waiting: (Operation & { do: 'name' })[] = []
  for (const operation of operations) {
    if (operation.do === 'name') waiting.push(operation)
    else if (operation.do === 'syncFolder') {
      for (const change of waiting) if (change.folder === operation.folder) apply(change)
      waiting = waiting.filter(({ folder }) => folder !== operation.folder)
    }
  }
  if (cut === 'nothing') return names
  for (const [index, change] of waiting.entries()) if (cut !== 'torn' || index % 2 === 1) apply(change)
  return names
}
