/**
 * The room on a disk that is kept for what must always be written, such as records. Whoever writes much stops at it.
 * Writes nothing, and frees nothing.
 */
import type { Stats } from 'node:fs'
import { stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf, leadsNowhere } from './errno.ts'
import { freeBytes } from './files.ts'

const MIB = 1024 * 1024
const GIB = 1024 * MIB
const SHARE = 0.05
/** No disk is filled faster than that. */
const BYTES_PER_MS = 4 * MIB
const [SHORTEST_MS, LONGEST_MS] = [10, 250]
/** How long a look at the disk counts for who writes on, and with how much room to spare. */
const FRESH_MS = 100
const SPARE_BYTES = 128 * MIB

/** Names what was stopped; its code is that of a full disk, which it would be soon. */
export class ReserveReached extends Error {
  readonly code = 'ENOSPC'
  override get name(): string {
    return this.constructor.name
  }
}

export type Reserve = {
  /** What is kept in the file system of `path`; there, and in no other. */
  readonly bytes: number
  /** Whether `folder` is in that file system. */
  isKeptIn(folder: string): Promise<boolean>
  /** Bytes that may be written below `folder`, which may be missing yet; below 0 when the reserve is touched. */
  left(folder: string): Promise<number>
  /** @param what  begins the sentence. @throws ReserveReached  `bytes` more would touch the reserve */
  require(folder: string, bytes: number, what: string): Promise<void>
  /** For what writes by itself, such as a program. Dispose of it in the end. */
  watch(
    folders: readonly string[],
    what: string,
    error?: (text: string) => Error,
  ): Disposable & {
    /** Aborted with `error`, or a ReserveReached. */
    signal: AbortSignal
  }
}

/**
 * The smaller one of 1 GiB and a twentieth of the file system: a large disk needs no more for its records, and a small
 * one has no more.
 * @param path  the folder of the records, which may be missing yet
 * @param min_free_mib  left out: the default
 */
export async function openReserve(path: string, min_free_mib?: number): Promise<Reserve> {
  const { path: found, stats } = await nearest(path)
  const { blocks, bsize } = await statfs(found)
  const bytes = min_free_mib === undefined ? Math.floor(Math.min(GIB, blocks * bsize * SHARE)) : min_free_mib * MIB
  return reserveOf(stats.dev, bytes)
}

/** Keeps nothing: for who has no records here. */
export const NO_RESERVE: Reserve = reserveOf(-1, 0)

function reserveOf(dev: number, bytes: number): Reserve {
  const looks = new Map<string, { left: number; until: number }>()
  async function left(folder: string): Promise<number> {
    const { path, stats } = await nearest(folder)
    return (await freeBytes(path)) - (stats.dev === dev ? bytes : 0)
  }
  async function require(folder: string, wanted: number, what: string): Promise<void> {
    const now = performance.now()
    const known = looks.get(folder)
    if (known && known.until > now && known.left - wanted > SPARE_BYTES) {
      known.left -= wanted
      return
    }
    const found = await left(folder)
    looks.clear()
    looks.set(folder, { left: found - wanted, until: now + FRESH_MS })
    if (found < wanted) throw new ReserveReached(inWords({ folder, what, left: found, bytes }))
  }
  const isKeptIn = async (folder: string) => (await nearest(folder)).stats.dev === dev
  return {
    bytes,
    isKeptIn,
    left,
    require,
    watch(folders, what, error = (text) => new ReserveReached(text)) {
      const full = new AbortController()
      let timer: NodeJS.Timeout | undefined
      let isOver = false
      const look = async () => {
        const kept = await Promise.all(folders.map(isKeptIn))
        const all = await Promise.all(
          folders.filter((_, at) => kept[at]).map(async (folder) => ({ folder, left: await left(folder) })),
        )
        // On another disk the kernel tells of a full one, in the words of the program.
        if (all.length === 0) return
        const { folder, left: least } = all.reduce((one, other) => (other.left < one.left ? other : one))
        if (isOver) return
        if (least <= 0) return full.abort(error(inWords({ folder, what, left: least, bytes })))
        timer = setTimeout(again, Math.min(Math.max(least / BYTES_PER_MS, SHORTEST_MS), LONGEST_MS))
      }
      const again = () => void look().catch((error: unknown) => full.abort(error))
      again()
      return {
        signal: full.signal,
        [Symbol.dispose]() {
          isOver = true
          clearTimeout(timer)
        },
      }
    },
  }
}

function inWords({ folder, what, left, bytes }: { folder: string; what: string; left: number; bytes: number }) {
  const mib = (count: number) => `${Math.max(Math.floor(count / MIB), 0)} MiB`
  return `${what} was stopped, as the disk of ${folder} is nearly full: ${mib(left + bytes)} are free, and ${mib(bytes)} of it are kept for the records of the appliance ([DEFAULT] min_free). Free some, or move that folder to another disk.`
}

/** What is there of the path. */
async function nearest(path: string): Promise<{ path: string; stats: Stats }> {
  try {
    return { path, stats: await stat(path) }
  } catch (error) {
    // Whoever writes there hears what is wrong with it.
    if (!(leadsNowhere(error) || codeOf(error) === 'EACCES') || path === dirname(path)) throw error
    return nearest(dirname(path))
  }
}
