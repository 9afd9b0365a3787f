/**
 * The folder of finished images: each appears whole, stays while a node is linked to it, and goes when it is the least
 * used.
 */
import { readdir, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, leadsNowhere } from '@appliance/ground/errno'
import { renameDurably, unfinishedName } from '@appliance/ground/files'
import type { Reserve } from '@appliance/ground/reserve'
import { InsufficientStorage } from '../../errors.ts'
import type { Log } from '../../log.ts'
import { type Entry, type EntryRecord, readEntry, writeEntry } from './entry.ts'
import { asStorageError, diskBytes, makeFolder, removeFolder, sweep } from './folders.ts'

export type CacheOptions = {
  folder: string
  size_bytes: number
  ttl_ms: number
  /** Keys that nodes are linked to. */
  linked(): Promise<ReadonlySet<string>>
  /** What it leaves of the disk. */
  reserve: Reserve
  log: Log
}
export type Cache = {
  readonly folder: string
  /** Makes the folder, and removes what a killed appliance left in it. */
  open(): Promise<void>
  /** Marks it as used. Hold it before: else it may be evicted at once. */
  find(key: string): Promise<Entry | undefined>
  /**
   * `build` fills a folder; it appears under its key when all is on the disk. @throws InsufficientStorage, and what
   * `build` throws
   */
  add(key: string, build: (folder: string) => Promise<EntryRecord>): Promise<Entry>
  /** Until disposed, the key's entry is not evicted. */
  hold(key: string): Disposable
  /** Evicts as far as needed. @throws InsufficientStorage */
  makeRoom(bytes: number, what: string): Promise<void>
  /** The same where the reserve is; elsewhere the kernel tells of a full disk. */
  keepRoom(bytes: number, what: string): Promise<void>
  /** For what writes by itself: its signal is aborted with InsufficientStorage. Evicts nothing. */
  watchRoom(what: string): Disposable & { signal: AbortSignal }
  /** Removes what is too old or too much, and in use by nobody. */
  evict(): Promise<void>
}

type Unused = { key: string; bytes: number; used_ms: number }
const KEY = /^[0-9a-f]{64}$/

export const isKey = (name: string) => KEY.test(name)

export function createCache({ folder, size_bytes, ttl_ms, linked, reserve, log }: CacheOptions): Cache {
  const held = new Map<string, number>()
  const going = new Map<string, Promise<void>>()
  const place = (key: string) => join(folder, key)

  /** Looks again whether somebody uses it by now: from there to the removal nothing is waited for. */
  async function remove({ key, bytes }: Unused, why: string): Promise<boolean> {
    const inUse = await linked()
    if (inUse.has(key) || held.has(key)) return false
    const gone = removeFolder(place(key))
    going.set(key, gone)
    await gone.finally(() => going.delete(key))
    log.info('image evicted', { key, bytes, why })
    return true
  }

  /** Those that nobody uses, the least used first; and how much all take. */
  async function survey(): Promise<{ unused: Unused[]; bytes: number }> {
    const keys = (await readdir(folder)).filter(isKey)
    const all = await Promise.all(keys.map((key) => weigh(place(key), key)))
    const inUse = await linked()
    const unused = all.filter(({ key }) => !inUse.has(key) && !held.has(key)).sort((a, b) => a.used_ms - b.used_ms)
    return { unused, bytes: all.reduce((sum, entry) => sum + entry.bytes, 0) }
  }

  async function evict(): Promise<void> {
    const { unused, bytes } = await survey()
    let left = bytes
    for (const entry of unused) {
      const isOld = Date.now() - entry.used_ms > ttl_ms
      if (!isOld && left <= size_bytes) continue
      const why = isOld ? 'not used for longer than [pxe] image_cache_ttl' : 'more than [pxe] image_cache_size'
      if (await remove(entry, why)) left -= entry.bytes
    }
  }

  /** The same content may have come from another server meanwhile: the first one stays. */
  async function appear(fresh: string, key: string): Promise<void> {
    if (await readEntry(place(key), key)) return removeFolder(fresh)
    await removeFolder(place(key))
    try {
      await renameDurably(fresh, place(key))
    } catch (error) {
      if (!['ENOTEMPTY', 'EEXIST'].includes(codeOf(error) ?? '')) throw error
      return removeFolder(fresh)
    }
  }

  function hold(key: string): Disposable {
    held.set(key, (held.get(key) ?? 0) + 1)
    return {
      [Symbol.dispose]() {
        const count = (held.get(key) ?? 1) - 1
        if (count > 0) held.set(key, count)
        else held.delete(key)
      },
    }
  }

  async function makeRoom(bytes: number, what: string): Promise<void> {
    if ((await reserve.left(folder)) >= bytes) return
    for (const entry of (await survey()).unused) {
      await remove(entry, 'room for another image')
      if ((await reserve.left(folder)) >= bytes) return
    }
    const left = Math.max(await reserve.left(folder), 0)
    throw new InsufficientStorage(
      `${what} needs ${bytes} bytes in the image cache ${folder}, whose disk has ${left} bytes left${reserve.bytes > 0 ? ' beyond [DEFAULT] min_free' : ''}. Free some, or move [pxe] instance_master_path to a larger disk.`,
    )
  }

  return {
    folder,
    hold,
    evict,
    async open() {
      await makeFolder(folder)
      const swept = await sweep(folder)
      if (swept.length > 0) log.warn('unfinished images removed', { count: swept.length, folder })
      await evict()
    },
    async find(key) {
      await going.get(key)
      const entry = await readEntry(place(key), key)
      if (entry) await utimes(place(key), new Date(), new Date())
      return entry
    },
    async add(key, build) {
      using _held = hold(key)
      const fresh = join(folder, unfinishedName())
      try {
        await makeFolder(fresh)
        const record = await build(fresh)
        await writeEntry(fresh, record)
        await appear(fresh, key)
      } catch (error) {
        await removeFolder(fresh)
        throw asStorageError(error, folder)
      }
      await evict()
      const entry = await readEntry(place(key), key)
      if (entry) return entry
      throw new InsufficientStorage(`The image cache ${folder} lost an image just after it was made. Look at the disk.`)
    },
    makeRoom,
    async keepRoom(bytes, what) {
      if (await reserve.isKeptIn(folder)) await makeRoom(bytes, what)
    },
    watchRoom: (what) => reserve.watch([folder], what, (text) => new InsufficientStorage(text)),
  }
}

async function weigh(folder: string, key: string): Promise<Unused> {
  try {
    const { mtimeMs: used_ms } = await stat(folder)
    return { key, used_ms, bytes: await diskBytes(folder) }
  } catch (error) {
    if (!leadsNowhere(error)) throw error
    // Evicted meanwhile.
    return { key, used_ms: 0, bytes: 0 }
  }
}
