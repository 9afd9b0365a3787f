/**
 * Remembers every change that this process makes below a folder, by listening in on node:fs/promises, so that a test
 * can ask what lies there after a power cut at any of them. A sync counts for what was done before it began, from
 * when it ended.
 */
import { existsSync } from 'node:fs'
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'

type Inode = number
type Operation =
  | { do: 'write'; inode: Inode; position: number; bytes: Buffer }
  | { do: 'truncate'; inode: Inode; length: number }
  /** `before`: of which operations it makes durable what concerns the file, or the names in the folder. */
  | { do: 'sync'; inode: Inode; before: number }
  | { do: 'syncFolder'; folder: string; before: number }
  | { do: 'name'; path: string; inode: Inode | undefined }

/**
 * What a power cut leaves of all that was not synced.
 * - nothing: the least that is promised
 * - everything: as after kill -9
 * - names: new names for old or empty contents
 * - torn: half of the last write, and every second name
 */
export const POWER_CUTS = ['nothing', 'everything', 'names', 'torn'] as const
export type PowerCut = (typeof POWER_CUTS)[number]
const FOLDER: Inode = 0

export class RecordedDisk {
  readonly #root: string
  readonly #operations: Operation[] = []
  readonly #inodes = new Map<string, Inode>()
  readonly #opened = new WeakMap<object, string>()
  #lastInode = FOLDER

  private constructor(root: string) {
    this.#root = root
  }

  /** From now on, for as long as this process lives. */
  static async listenIn(root: string): Promise<RecordedDisk> {
    const disk = new RecordedDisk(root)
    const someFile = await fs.open(tmpdir())
    const handle = Object.getPrototypeOf(someFile)
    await someFile.close()
    disk.#patchNames()
    disk.#patchFiles(handle)
    syncBuiltinESMExports()
    return disk
  }

  /** Operations so far. */
  get length(): number {
    return this.#operations.length
  }

  /** Files that are there after a power cut behind the n-th operation, by their paths in the folder. */
  after(n: number, cut: PowerCut): Map<string, Buffer> {
    const operations = this.#operations.slice(0, n)
    const names = namesAfter(operations, cut)
    const files = new Map<string, Buffer>()
    for (const [path, inode] of names) {
      if (inode === FOLDER || !this.#isReachable(path, names)) continue
      files.set(path.slice(this.#root.length + 1), contentAfter(operations, inode, cut))
    }
    return files
  }

  #isReachable(path: string, names: ReadonlyMap<string, Inode>): boolean {
    const folder = dirname(path)
    return folder === this.#root || (names.has(folder) && this.#isReachable(folder, names))
  }

  #isOurs = (path: unknown): path is string => typeof path === 'string' && path.startsWith(`${this.#root}/`)
  #note = (operation: Operation) => void this.#operations.push(operation)
  #name(path: string, inode: Inode | undefined): void {
    if (inode === undefined) this.#inodes.delete(path)
    else this.#inodes.set(path, inode)
    this.#note({ do: 'name', path, inode })
  }

  #patchNames(): void {
    const { open, rename, unlink, rm, mkdir } = fs
    Object.assign(fs, {
      open: async (...args: Parameters<typeof open>) => {
        const [given, flags] = args
        const path = String(given)
        const file = await open(...args)
        if (!this.#isOurs(path) && path !== this.#root) return file
        this.#opened.set(file, path)
        const isFile = (await file.stat()).isFile()
        if (isFile && !this.#inodes.has(path)) this.#name(path, ++this.#lastInode)
        else if (isFile && flags === 'w') this.#note({ do: 'truncate', inode: this.#inodeOf(file), length: 0 })
        return file
      },
      rename: async (from: string, to: string) => {
        await rename(from, to)
        if (!this.#isOurs(to)) return
        this.#name(to, this.#inodes.get(from))
        this.#name(from, undefined)
      },
      unlink: async (path: string) => {
        await unlink(path)
        if (this.#isOurs(path)) this.#name(path, undefined)
      },
      rm: async (...args: Parameters<typeof rm>) => {
        await rm(...args)
        for (const known of [...this.#inodes.keys()])
          if (known === args[0] || known.startsWith(`${args[0]}/`)) this.#name(known, undefined)
      },
      mkdir: async (...args: Parameters<typeof mkdir>) => {
        const made: string[] = []
        for (let at = String(args[0]); this.#isOurs(at) && !existsSync(at); at = dirname(at)) made.unshift(at)
        const result = await mkdir(...args)
        for (const path of made) this.#name(path, FOLDER)
        return result
      },
    })
  }

  #patchFiles(handle: Record<string, (...args: never[]) => Promise<unknown>>): void {
    const patch = (
      name: string,
      around: (file: object, args: unknown[], act: () => Promise<unknown>) => Promise<unknown>,
    ) => {
      const original = handle[name] as (...args: unknown[]) => Promise<unknown>
      const opened = this.#opened
      Object.assign(handle, {
        [name](this: object, ...args: unknown[]) {
          const act = () => original.apply(this, args)
          return opened.has(this) ? around(this, args, act) : act()
        },
      })
    }
    const writing =
      (bytesOf: (args: unknown[]) => { bytes: Buffer; position: number }) =>
      async (file: object, args: unknown[], act: () => Promise<unknown>) => {
        const { bytes, position } = bytesOf(args)
        const result = await act()
        this.#note({ do: 'write', inode: this.#inodeOf(file), position, bytes })
        return result
      }
    patch(
      'writeFile',
      writing(([data]) => ({ bytes: Buffer.from(data as Uint8Array), position: 0 })),
    )
    patch(
      'writev',
      writing(([buffers, position]) => ({ bytes: Buffer.concat(buffers as Buffer[]), position: Number(position) })),
    )
    patch('truncate', async (file, [length], act) => {
      await act()
      this.#note({ do: 'truncate', inode: this.#inodeOf(file), length: Number(length ?? 0) })
    })
    const syncing = async (file: object, _: unknown[], act: () => Promise<unknown>) => {
      const before = this.length
      await act()
      const path = this.#opened.get(file) ?? ''
      const inode = this.#inodes.get(path)
      if (inode === undefined || inode === FOLDER) this.#note({ do: 'syncFolder', folder: path, before })
      else this.#note({ do: 'sync', inode, before })
    }
    patch('datasync', syncing)
    patch('sync', syncing)
  }

  #inodeOf(file: object): Inode {
    const inode = this.#inodes.get(this.#opened.get(file) ?? '')
    if (inode === undefined) throw new Error(`${this.#opened.get(file)} is no file that was seen`)
    return inode
  }
}

function namesAfter(operations: readonly Operation[], cut: PowerCut): Map<string, Inode> {
  const synced = new Map<string, number>()
  for (const one of operations)
    if (one.do === 'syncFolder') synced.set(one.folder, Math.max(one.before, synced.get(one.folder) ?? 0))
  const names = new Map<string, Inode>()
  let waiting = 0
  for (const [index, one] of operations.entries()) {
    if (one.do !== 'name') continue
    const isDurable = index < (synced.get(dirname(one.path)) ?? 0)
    if (!isDurable && (cut === 'nothing' || (cut === 'torn' && waiting++ % 2 === 0))) continue
    if (one.inode === undefined) names.delete(one.path)
    else names.set(one.path, one.inode)
  }
  return names
}

function contentAfter(operations: readonly Operation[], inode: Inode, cut: PowerCut): Buffer {
  let durable = 0
  for (const one of operations) if (one.do === 'sync' && one.inode === inode) durable = Math.max(durable, one.before)
  let bytes = Buffer.alloc(0)
  for (const [index, one] of operations.entries()) {
    if ((one.do !== 'write' && one.do !== 'truncate') || one.inode !== inode) continue
    const isDurable = index < durable
    if (!isDurable && (cut === 'nothing' || cut === 'names')) continue
    if (one.do === 'truncate') bytes = bytes.subarray(0, one.length)
    else {
      const kept = isDurable || cut === 'everything' ? one.bytes : one.bytes.subarray(0, one.bytes.length / 2)
      bytes = Buffer.concat([bytes.subarray(0, one.position), kept])
    }
  }
  return bytes
}

export const tagPath = (name: string, tag: string) => join('repositories', name, '_tags', tag)
export const isBlob = (path: string) => /^blobs\/sha(?:256|512)\//.test(path)
export const hexIn = (path: string) => basename(path)
