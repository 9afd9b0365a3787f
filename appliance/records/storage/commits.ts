/**
 * Group commit: what was asked for while the disk was busy shares one journal write and one sync. Behind it,
 * checkpoints bring the changes from the journal into their documents. Never shows a change before it is durable.
 */
import { isDiskFull } from '@appliance/ground/errno'
import { ApplianceError, InsufficientStorage, messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'
import type { Disk } from './disk.ts'
import { type Document, nameOf, seal } from './document.ts'
import { writeDocuments } from './documents.ts'
import type { Journal } from './journal.ts'

/** The disk refused a write for another reason than that it is full. */
export class NotKept extends ApplianceError {}

export type Change = {
  document: Document
  /** Shows the change, which is durable now. */
  apply(): void
}
type Waiting = Change & { line: string; resolve(): void; reject(error: Error): void }

export type CommitOptions = {
  state_path: string
  disk: Disk
  journal: Journal
  log: Log
  /** Changes that the journal holds and the documents do not. */
  dirty: Iterable<Document>
  /** From a change to the checkpoint that brings it into its document. */
  checkpoint_delay_ms: number
  /** Forgets every change that is not durable: one failed, and those after it build on it. */
  onRefused(): void
}

const BATCH_LIMIT = 1024
const CHECKPOINT_BYTES = 4 * 1024 * 1024
const RETRY_LIMIT_MS = 60_000
/** More than that stays in the journal at the end, so that a stop is quick; the next start reads it. */
const CLOSING_CHECKPOINT_LIMIT = 500

export class Commits {
  readonly #options: Omit<CommitOptions, 'dirty'>
  #queue: Waiting[] = []
  #dirty = new Map<string, Document>()
  #running: Promise<void> | undefined
  #checkpoint: Promise<boolean> | undefined
  #timer: NodeJS.Timeout | undefined
  #retry_ms: number
  #isDue = false
  #isClosed = false

  constructor({ dirty, ...options }: CommitOptions) {
    this.#options = options
    this.#retry_ms = options.checkpoint_delay_ms
    for (const document of dirty) this.#dirty.set(nameOf(document), document)
    this.#schedule(this.#retry_ms)
  }

  /** Resolves when durable and shown. @throws InsufficientStorage, NotKept; then nothing has changed */
  submit(change: Change): Promise<void> {
    if (this.#isClosed) return Promise.reject(new NotKept('Nothing was changed: the appliance is stopping.'))
    const line = seal(change.document)
    return new Promise((resolve, reject) => {
      this.#queue.push({ ...change, line, resolve, reject })
      this.#running ??= this.#run()
    })
  }

  /** Waits for the changes under way. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#running
    clearTimeout(this.#timer)
    await this.#checkpoint
    if (this.#dirty.size <= CLOSING_CHECKPOINT_LIMIT) await this.#startCheckpoint()
    clearTimeout(this.#timer)
    this.#options.journal.rotate()
  }

  async #run(): Promise<void> {
    // Those that come in this turn of the event loop are still to share the first write.
    await Promise.resolve()
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, BATCH_LIMIT)
      try {
        await this.#append(batch)
      } catch (error) {
        this.#refuse([...batch, ...this.#queue.splice(0)], error)
        continue
      }
      for (const { apply, document } of batch) {
        this.#dirty.set(nameOf(document), document)
        apply()
      }
      for (const { resolve } of batch) resolve()
      if (this.#isDue || this.#options.journal.length > CHECKPOINT_BYTES) this.#startCheckpoint()
      this.#schedule(this.#retry_ms)
    }
    this.#running = undefined
    if (this.#isDue) this.#startCheckpoint()
  }

  async #append(batch: readonly Waiting[]): Promise<void> {
    const { journal } = this.#options
    if (journal.failure) {
      const failure = journal.failure
      await this.#checkpoint
      if (!(await this.#startCheckpoint())) throw failure
    }
    await journal.append(batch.map(({ line }) => line).join(''))
  }

  #refuse(all: readonly Waiting[], cause: unknown): void {
    const { state_path, onRefused, log } = this.#options
    onRefused()
    const error = refusal(state_path, cause)
    log.error('store write refused', { changes: all.length, reason: error.message })
    for (const { reject } of all) reject(error)
  }

  #schedule(delay_ms: number): void {
    if (this.#timer || this.#isClosed || this.#dirty.size === 0) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      // Never between an append and its `apply`: the file it went to would be dropped without its documents.
      if (this.#running) this.#isDue = true
      else this.#startCheckpoint()
    }, delay_ms).unref()
  }

  /** One at a time. @returns whether the journal's closed files are all in documents now, and gone */
  #startCheckpoint(): Promise<boolean> {
    this.#checkpoint ??= this.#writeCheckpoint().finally(() => {
      this.#checkpoint = undefined
      this.#schedule(this.#retry_ms)
    })
    return this.#checkpoint
  }

  async #writeCheckpoint(): Promise<boolean> {
    const { journal, disk, state_path, log, checkpoint_delay_ms } = this.#options
    this.#isDue = false
    const taken = this.#dirty
    this.#dirty = new Map()
    journal.rotate()
    try {
      await writeDocuments(disk, state_path, [...taken.values()])
      await journal.drop()
      this.#retry_ms = checkpoint_delay_ms
      return true
    } catch (error) {
      for (const [name, document] of taken) if (!this.#dirty.has(name)) this.#dirty.set(name, document)
      this.#retry_ms = Math.min(this.#retry_ms * 2, RETRY_LIMIT_MS)
      log.error('store checkpoint failed', {
        documents: taken.size,
        folder: state_path,
        reason: messageOf(error),
        retry_s: this.#retry_ms / 1000,
      })
      return false
    }
  }
}

function refusal(state_path: string, cause: unknown): Error {
  return isDiskFull(cause)
    ? new InsufficientStorage(
        `Nothing was changed: there is no room left in ${state_path} (${messageOf(cause)}). Free some, then try again.`,
        { cause },
      )
    : new NotKept(
        `Nothing was changed: ${state_path} cannot be written (${messageOf(cause)}). Look at its disk, then try again.`,
        { cause },
      )
}
