/**
 * The journal: what was acknowledged and has not yet reached its document. Appends, syncs, rotates; knows no records.
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../../errors.ts'
import { type Disk, type DiskFile, FILE_MODE, FOLDER_MODE, unlinkIfThere, writeAll } from './disk.ts'
import { type Document, unseal } from './document.ts'

const SEGMENT = /^(\d{8})\.log$/
const LINE_FEED = 0x0a

type Segment = { path: string; file: DiskFile; length: number }

/**
 * One file at a time is appended to. Its length counts acknowledged bytes only: whatever a failed append left behind it
 * is cut off, so that a change that was refused does not come back at the next start.
 */
export class Journal {
  readonly #folder: string
  readonly #disk: Disk
  #next: number
  #current: Segment | undefined
  #closed: string[]
  #failure: Error | undefined

  constructor(folder: string, disk: Disk, found: Pick<FoundJournal, 'segments' | 'lastNumber'>) {
    this.#folder = folder
    this.#disk = disk
    this.#next = found.lastNumber + 1
    this.#closed = [...found.segments]
  }

  /** Acknowledged bytes that a start would have to read. */
  get length(): number {
    return this.#current?.length ?? 0
  }

  /**
   * Why nothing may be appended. After a failed sync the kernel may have dropped what it could not write, and a second
   * sync would succeed without it: only a new file, with all documents written before, makes the journal good again.
   */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** Resolves when durable. One at a time. @throws whatever the disk says; then nothing of it is kept */
  async append(lines: string): Promise<void> {
    if (this.#failure) throw this.#failure
    this.#current ??= await this.#open()
    const segment = this.#current
    const bytes = Buffer.from(lines)
    try {
      await writeAll(segment.file, bytes, segment.length)
    } catch (error) {
      await this.#cut(segment)
      throw error
    }
    try {
      await segment.file.datasync()
    } catch (error) {
      this.#failure = error as Error
      await this.#cut(segment)
      throw error
    }
    segment.length += bytes.length
  }

  /** The next append opens a new file. Not during an append. */
  rotate(): void {
    if (!this.#current) return
    const { path, file } = this.#current
    this.#closed.push(path)
    this.#current = undefined
    file.close().catch(() => {
      // Every acknowledged byte was synced before; there is nothing that a close could lose.
    })
  }

  /**
   * Removes the files closed before now; all that they hold is in documents. Oldest first, each durably: a creation
   * must never outlive the deletion that came after it.
   */
  async drop(): Promise<void> {
    for (const path of [...this.#closed]) {
      await unlinkIfThere(this.#disk, path)
      await this.#disk.syncFolder(this.#folder)
      this.#closed.shift()
    }
    if (!this.#current) this.#failure = undefined
  }

  async #open(): Promise<Segment> {
    const path = join(this.#folder, `${String(this.#next++).padStart(8, '0')}.log`)
    const file = await this.#disk.open(path, 'wx', FILE_MODE)
    try {
      await this.#disk.syncFolder(this.#folder)
    } catch (error) {
      await file.close()
      await unlinkIfThere(this.#disk, path)
      throw error
    }
    return { path, file, length: 0 }
  }

  async #cut(segment: Segment): Promise<void> {
    try {
      await segment.file.truncate(segment.length)
      await segment.file.datasync()
    } catch (error) {
      this.#failure ??= error as Error
    }
  }
}

export type FoundJournal = {
  documents: Document[]
  /** What could not be read, in sentences. */
  damages: string[]
  /** Files, oldest first. */
  segments: string[]
  lastNumber: number
}

/** Reads all that a journal holds, in the order in which it was written. */
export function readJournal(folder: string): FoundJournal {
  mkdirSync(folder, { recursive: true, mode: FOLDER_MODE })
  const names = readdirSync(folder).filter((name) => SEGMENT.test(name))
  names.sort()
  const found: FoundJournal = { documents: [], damages: [], segments: [], lastNumber: 0 }
  for (const name of names) {
    const path = join(folder, name)
    found.segments.push(path)
    found.lastNumber = Number.parseInt(name, 10)
    readSegment(path, found)
  }
  return found
}

function readSegment(path: string, found: FoundJournal): void {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (error) {
    found.damages.push(`${path} cannot be read (${messageOf(error)}): changes since the last documents are lost`)
    return
  }
  let bad: { start: number; end: number } | undefined
  for (let start = 0, end = 0; start < bytes.length; start = end) {
    const feed = bytes.indexOf(LINE_FEED, start)
    end = feed < 0 ? bytes.length : feed + 1
    const document = feed < 0 ? undefined : unseal(bytes.toString('utf8', start, feed))
    if (!document) {
      bad = { start: bad?.start ?? start, end }
      continue
    }
    if (bad) found.damages.push(damaged(path, bad))
    bad = undefined
    found.documents.push(document)
  }
  if (bad) found.damages.push(tornTail(path, bad))
}

const damaged = (path: string, { start, end }: { start: number; end: number }) =>
  `${path} is damaged from byte ${start} to ${end}: the changes there are lost, those after them are kept`
const tornTail = (path: string, { start, end }: { start: number; end: number }) =>
  `${path} ends with ${end - start} bytes that are no whole change (from byte ${start}): dropped`
