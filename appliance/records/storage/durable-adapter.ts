/**
 * lowdb adapter for one document: appears whole or not at all, vouches for itself, and keeps the generation before it.
 */
import { existsSync, readFileSync, renameSync } from 'node:fs'
import { codeOf, isMissing } from '@appliance/ground/errno'
import type { Adapter } from 'lowdb'
import { type Disk, NEW_SUFFIX, unlinkIfThere, writeFileDurably } from './disk.ts'
import { type Document, seal, unseal } from './document.ts'

export const PREVIOUS = '.previous'
const DAMAGED = '.damaged'

type Generation = { document: Document } | 'missing' | 'damaged'

export class DurableAdapter implements Adapter<Document | null> {
  readonly #path: string
  readonly #disk: Disk
  readonly #identity: Pick<Document, 'kind' | 'uuid'>
  readonly #onRepair: (text: string) => void

  /** @param onRepair  told, in a sentence, when `read` did not find the last generation */
  constructor(path: string, disk: Disk, identity: Pick<Document, 'kind' | 'uuid'>, onRepair: (text: string) => void) {
    this.#path = path
    this.#disk = disk
    this.#identity = identity
    this.#onRepair = onRepair
  }

  /** The last generation, or the one before it when the last is damaged or missing; null when there is none. */
  async read(): Promise<Document | null> {
    const last = this.#load(this.#path)
    if (typeof last === 'object') return last.document
    const previous = this.#load(this.#path + PREVIOUS)
    if (last === 'missing' && previous === 'missing') return null
    // Out of the way: the next write would make it the previous generation, over the good one.
    if (last === 'damaged') renameSync(this.#path, this.#path + DAMAGED)
    const found = `${this.#path} is ${last}${last === 'damaged' ? ` (kept as ${this.#path}${DAMAGED})` : ''}`
    if (typeof previous === 'object') {
      this.#onRepair(`${found}: taken back to the generation before it (change ${previous.document.seq})`)
      return previous.document
    }
    if (previous === 'damaged') renameSync(this.#path + PREVIOUS, this.#path + PREVIOUS + DAMAGED)
    this.#onRepair(`${found}, and the generation before it is ${previous}: only the journal may still hold the record`)
    return null
  }

  /**
   * Durable once its folder is synced, which the caller does once for many. A document without a record leaves nothing
   * behind.
   */
  async write(document: Document | null): Promise<void> {
    if (!document?.record) return this.#remove()
    const fresh = this.#path + NEW_SUFFIX
    await writeFileDurably(this.#disk, fresh, seal(document))
    await this.#keepPrevious(document)
    await this.#disk.rename(fresh, this.#path)
  }

  /** The last generation goes last: cut off in between, a previous one alone would look like damage. */
  async #remove(): Promise<void> {
    for (const suffix of [PREVIOUS, PREVIOUS + NEW_SUFFIX, PREVIOUS + DAMAGED, NEW_SUFFIX, DAMAGED, '']) {
      await unlinkIfThere(this.#disk, this.#path + suffix)
    }
  }

  /** By a second name for the same file, so that at no instant the record has no file. */
  async #keepPrevious(document: Document): Promise<void> {
    const spare = this.#path + PREVIOUS + NEW_SUFFIX
    try {
      await this.#disk.link(this.#path, spare)
    } catch (error) {
      if (isMissing(error)) return this.#writeFirstTwice(document, spare)
      if (codeOf(error) !== 'EEXIST') throw error
      await this.#disk.unlink(spare)
      await this.#disk.link(this.#path, spare)
    }
    await this.#disk.rename(spare, this.#path + PREVIOUS)
  }

  /**
   * The first generation has none before it. A second copy in its place, lest one damaged file be the end of a record.
   */
  async #writeFirstTwice(document: Document, spare: string): Promise<void> {
    if (existsSync(this.#path + PREVIOUS)) return
    await writeFileDurably(this.#disk, spare, seal(document))
    await this.#disk.rename(spare, this.#path + PREVIOUS)
  }

  #load(path: string): Generation {
    let text: string
    try {
      text = readFileSync(path, 'utf8')
    } catch (error) {
      if (isMissing(error)) return 'missing'
      // The disk cannot read it back, or somebody put a folder there.
      if (codeOf(error) === 'EIO' || codeOf(error) === 'EISDIR') return 'damaged'
      throw error
    }
    const document = text.endsWith('\n') ? unseal(text.slice(0, -1)) : undefined
    const isOurs = document?.uuid === this.#identity.uuid && document.kind === this.#identity.kind
    return document?.record && isOurs ? { document } : 'damaged'
  }
}
