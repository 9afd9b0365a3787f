/**
 * The file-system calls that durability rests on. Knows no blobs. What it has done survives kill -9 and a power cut.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, open, rename, rm, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isMissing } from '@appliance/ground/errno'
import { sync, writeNewFile } from '@appliance/ground/files'
import { NO_RESERVE, type Reserve } from '@appliance/ground/reserve'

const FILE_MODE = 0o640
const FOLDER_MODE = 0o750
/** Folders whose names are known to be durable; forgotten all at once when there are more. */
const KNOWN_LIMIT = 20_000

export class Disk {
  readonly root: string
  readonly #tmp: string
  readonly #reserve: Reserve
  readonly #syncing = new Map<string, Promise<void>>()
  readonly #syncingNext = new Map<string, Promise<void>>()
  readonly #known = new Set<string>()
  #folders: Promise<unknown> = Promise.resolve()

  private constructor(root: string, reserve: Reserve) {
    this.root = root
    this.#reserve = reserve
    this.#tmp = join(root, 'tmp')
  }

  /** Makes the folder. */
  static async prepare(root: string, reserve = NO_RESERVE): Promise<Disk> {
    await mkdir(root, { recursive: true, mode: FOLDER_MODE })
    return new Disk(root, reserve)
  }

  /** Removes files that a killed process had not finished. Before anything is written. */
  async clear(): Promise<void> {
    await rm(this.#tmp, { recursive: true, force: true })
    await this.makeFolder(this.#tmp)
  }

  /** Before content is written. @throws ReserveReached  the rest of the disk is for what is no content */
  requireRoom = (bytes: number): Promise<void> => this.#reserve.require(this.root, bytes, 'What the registry was sent')

  /** For a file that is not whole yet. */
  temporaryPath = (): string => join(this.#tmp, randomUUID())

  /** A file with these bytes, there as a whole or not at all; it takes the place of what was there. */
  async write(path: string, bytes: Uint8Array): Promise<void> {
    const temporary = this.temporaryPath()
    await writeNewFile(temporary, bytes, FILE_MODE)
    try {
      await this.place(temporary, path)
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  }

  /** Moves a file, whose bytes are durable already, to its place. */
  async place(from: string, to: string): Promise<void> {
    await this.makeFolder(dirname(to))
    await rename(from, to)
    await this.syncFolder(dirname(to))
  }

  /** Makes an empty file, whose name is all that matters. */
  async mark(path: string): Promise<void> {
    await this.makeFolder(dirname(path))
    await (await open(path, 'a', FILE_MODE)).close()
    await this.syncFolder(dirname(path))
  }

  /** @returns whether it was there */
  async remove(path: string): Promise<boolean> {
    try {
      await unlink(path)
    } catch (error) {
      if (isMissing(error)) return false
      throw error
    }
    await this.syncFolder(dirname(path))
    return true
  }

  /**
   * Makes the folder and its parents, each durable. One call at a time: a caller that finds a folder must wait until
   * its name is durable.
   */
  async makeFolder(path: string): Promise<void> {
    if (this.#known.has(path)) return
    const made = this.#folders.then(async () => {
      await mkdir(path, { recursive: true, mode: FOLDER_MODE })
      for (let folder = path; folder.length > this.root.length; folder = dirname(folder)) {
        if (this.#known.has(folder)) break
        await this.syncFolder(dirname(folder))
      }
      if (this.#known.size >= KNOWN_LIMIT) this.#known.clear()
      this.#known.add(path)
    })
    this.#folders = made.catch(() => {})
    await made
  }

  /** Makes the names in a folder durable. Callers that come during a sync share the next one. */
  syncFolder(path: string): Promise<void> {
    const next = this.#syncingNext.get(path)
    if (next !== undefined) return next
    const running = this.#syncing.get(path)
    if (running === undefined) return this.#syncNow(path)
    const after = running
      .catch(() => {})
      .then(() => {
        this.#syncingNext.delete(path)
        return this.#syncNow(path)
      })
    this.#syncingNext.set(path, after)
    return after
  }

  #syncNow(path: string): Promise<void> {
    const syncing = sync(path).finally(() => this.#syncing.delete(path))
    this.#syncing.set(path, syncing)
    return syncing
  }
}
