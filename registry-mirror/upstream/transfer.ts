/**
 * One blob on its way from an upstream into the cache, read by any number of clients as it grows. It goes on when
 * clients leave, resumes where it was cut, and sends its last bytes only once the digest is proven, so that no client
 * gets all of a wrong blob.
 */
import { open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Digest } from '../oci/digest.ts'
import type { BlobReader } from '../storage/blobs.ts'
import { type Headers, lengthOf, type UpstreamAnswer, type UpstreamClient } from './client.ts'
import { UpstreamFailure } from './failure.ts'
import { GrowingFile } from './growing-file.ts'
import type { Throttle } from './limits.ts'

const HELD_BACK_BYTES = 64 * 1024
const ATTEMPTS_LIMIT = 1_000
/** For a blob whose length the upstream does not say. */
const BEGINNINGS_LIMIT = 3
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 2_000

export type Source = {
  client: UpstreamClient
  /** Without the upstream's name. */
  repository: string
  throttle: Throttle
  /** Larger blobs are not pulled. */
  max_bytes: number
  /** Asked before bytes are written. @throws ReserveReached */
  requireRoom?(bytes: number): Promise<void>
  /** Called with the size of each chunk that comes. */
  onBytes(bytes: number): void
}

type State = 'coming' | 'proven' | 'unknown' | { failed: unknown }

export class Transfer {
  readonly digest: Digest
  readonly #source: Source
  readonly #path: string
  readonly #abort = new AbortController()
  readonly #waiting = new Set<() => void>()
  #offset = 0
  /** By the word of the upstream, not proven. */
  #size: number | undefined
  #state: State = 'coming'
  /** After the first answer a failed transfer is tried again; before that it is not. */
  #hasAnswered = false
  /** The upstream does not implement Range, whatever it announces. */
  #isAskedForAll = false
  #beginnings = 1

  /** @param path  of the file that grows; the transfer continues from the bytes in it */
  constructor(digest: Digest, path: string, source: Source) {
    this.digest = digest
    this.#source = source
    this.#path = path
  }

  /**
   * Resolves when the bytes are durable in the file.
   * @returns false  the upstream has no such blob
   * @throws UpstreamFailure; the error of the disk
   */
  async run(): Promise<boolean> {
    try {
      const { requireRoom } = this.#source
      await using file = await GrowingFile.open(this.#path, this.digest, {
        onGrown: (offset) => this.#grown(offset),
        ...(requireRoom && { requireRoom }),
      })
      const found = file.offset > 0 && file.found() === this.digest ? true : await this.#fetch(file)
      if (found) this.#prove(file)
      this.#enter(found ? 'proven' : 'unknown')
      if (found) await file.sync()
      return found
    } catch (error) {
      this.#enter({ failed: error })
      throw error
    }
  }

  stop(): void {
    this.#abort.abort()
  }

  /** Resolves once the size is known. @returns undefined: the upstream has no such blob @throws why it cannot be had */
  async size(): Promise<number | undefined> {
    await this.#until(() => this.#size !== undefined)
    return this.#state === 'unknown' ? undefined : this.#size
  }

  /** Resolves as `size` does. The caller closes the reader. */
  async reader(): Promise<BlobReader | undefined> {
    const size_bytes = await this.size()
    if (size_bytes === undefined) return undefined
    // No byte can be sent before that: the client can still get an error in words.
    if (size_bytes <= HELD_BACK_BYTES) await this.#until(() => false)
    const file = await open(this.#path, 'r')
    return {
      size_bytes,
      read: async (buffer, length, position) => {
        await this.#until(() => this.#visible > position)
        const count = Math.min(length, this.#visible - position)
        return count <= 0 ? 0 : (await file.read(buffer, 0, count, position)).bytesRead
      },
      close: () => file.close(),
    }
  }

  get #visible(): number {
    return this.#state === 'proven' ? this.#offset : Math.min(this.#offset, (this.#size ?? 0) - HELD_BACK_BYTES)
  }

  /** Resolves when the condition is true, or when the transfer has ended. */
  async #until(condition: () => boolean): Promise<void> {
    for (;;) {
      if (typeof this.#state === 'object') throw this.#state.failed
      if (this.#state !== 'coming' || condition()) return
      await new Promise<void>((resolve) => this.#waiting.add(resolve))
    }
  }

  #enter(state: State): void {
    this.#state = state
    this.#wake()
  }
  #grown(offset: number): void {
    this.#offset = offset
    this.#wake()
  }
  #wake(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const resolve of waiting) resolve()
  }

  /** Sends requests until all bytes are here. @returns false  the upstream has no such blob */
  async #fetch(file: GrowingFile): Promise<boolean> {
    let pause_ms = FIRST_PAUSE_MS
    let last_progress = performance.now()
    for (let attempt = 1; attempt <= ATTEMPTS_LIMIT; attempt++) {
      const before = file.offset
      try {
        return await this.#attempt(file)
      } catch (error) {
        if (!this.#isWorthAnother(error) || (file.offset === 0 && !this.#hasAnswered)) throw error
        if (before > 0 && isRefusedRange(error)) this.#isAskedForAll = true
        if (file.offset > before) {
          pause_ms = FIRST_PAUSE_MS
          last_progress = performance.now()
        } else if (performance.now() - last_progress > this.#source.client.patience.resume_ms) throw error
        await sleep(pause_ms, undefined, { signal: this.#abort.signal })
        pause_ms = Math.min(pause_ms * 2, LONGEST_PAUSE_MS)
      }
    }
    throw this.#lie(`breaks off ${ATTEMPTS_LIMIT} times`)
  }

  #isWorthAnother = (error: unknown): boolean =>
    !this.#abort.signal.aborted &&
    ((error instanceof UpstreamFailure && (error.kind === 'dead' || error.kind === 'slow')) ||
      (isRefusedRange(error) && !this.#isAskedForAll))

  async #attempt(file: GrowingFile): Promise<boolean> {
    const { client, repository } = this.#source
    const from = this.#isAskedForAll ? 0 : file.offset
    const answer = await client.ask({
      method: 'GET',
      repository,
      path: `blobs/${this.digest}`,
      ...(from > 0 && { headers: { range: `bytes=${from}-` } }),
      signal: this.#abort.signal,
    })
    if (answer === undefined) return false
    this.#hasAnswered = true
    try {
      this.#learnSize(answer, from)
      await this.#take(answer, file, answer.status === 206 ? 0 : file.offset)
    } catch (error) {
      answer.body.destroy()
      // An error of the disk comes first; all others are errors of the connection.
      await file.flush()
      throw client.failureOf(error)
    }
    // An answer without a length may end early unnoticed: only the digest proves it.
    if (this.#size === undefined && file.found() !== this.digest && this.#beginnings < BEGINNINGS_LIMIT) {
      this.#beginnings++
      await file.beginAnew()
      throw client.failureOf(new Error(`blob ${this.digest} ended early, or is another one`))
    }
    this.#size ??= file.offset
    if (file.offset < this.#size)
      throw client.failureOf(new Error(`blob ${this.digest} ended at ${file.offset} of ${this.#size} bytes`))
    return true
  }

  /** Size of the whole blob, by the head of this answer. */
  #learnSize({ status, headers }: UpstreamAnswer, from: number): void {
    const told = status === 206 ? totalOf(headers, from) : lengthOf(headers)
    if (told === 'wrong') throw this.#lie(`was asked for byte ${from} on and answers '${headers['content-range']}'`)
    if (told === undefined) return
    if ((this.#size ?? told) !== told) throw this.#lie(`told of ${this.#size} bytes, and then of ${told}`)
    if (told > this.#source.max_bytes) throw this.#tooLarge()
    this.#size = told
    this.#wake()
  }

  /** @param skip  bytes that are here already, when the upstream sends all from the beginning */
  async #take({ body }: UpstreamAnswer, file: GrowingFile, skip: number): Promise<void> {
    const { throttle, onBytes, max_bytes } = this.#source
    let left = skip
    for await (const chunk of body as AsyncIterable<Buffer>) {
      onBytes(chunk.length)
      const wanted = chunk.subarray(Math.min(left, chunk.length))
      left -= chunk.length - wanted.length
      if (file.came + wanted.length > (this.#size ?? Number.POSITIVE_INFINITY))
        throw this.#lie(`sends more than the ${this.#size} bytes that it told of`)
      if (file.came + wanted.length > max_bytes) throw this.#tooLarge()
      if (wanted.length > 0) await file.add(wanted)
      await throttle.take(chunk.length, this.#abort.signal)
    }
    await file.flush()
  }

  #prove(file: GrowingFile): void {
    const found = file.found()
    if (found !== this.digest) throw this.#lie(`sends ${file.offset} bytes that are not of this digest`)
    this.#size ??= file.offset
  }

  #tooLarge(): UpstreamFailure {
    const { client, repository, max_bytes } = this.#source
    return new UpstreamFailure(
      'too large',
      `Blob ${this.digest} of ${repository} of upstream ${client.config.name} is larger than ${max_bytes / 1024 ** 2} MiB, the limit of this registry ([registry] max_blob_size).`,
    )
  }

  #lie(what: string): UpstreamFailure {
    const { client, repository } = this.#source
    return new UpstreamFailure(
      'lying',
      `Upstream ${client.config.name}, asked for blob ${this.digest} of ${repository}, ${what}.`,
    )
  }
}

/** RFC 9110 section 15.5.17; asked for without Range, such an upstream gives all. */
const isRefusedRange = (error: unknown) => error instanceof UpstreamFailure && error.status === 416

/** RFC 9110 section 14.4. */
function totalOf(headers: Headers, from: number): number | 'wrong' | undefined {
  const text = String(headers['content-range'] ?? '')
  const [, start, total] = /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15}|\*)$/.exec(text) ?? []
  if (start === undefined || Number(start) !== from) return 'wrong'
  return total === '*' ? undefined : Number(total)
}
