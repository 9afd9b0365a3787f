/**
 * A file that grows as bytes come: they are written at once while the disk is free, else together, and hashed
 * meanwhile. Memory stays flat.
 */
import { createHash, type Hash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { algorithmOf, type Digest, digestOfHash } from '../oci/digest.ts'
import type { RequireRoom } from '../storage/disk/receive.ts'

/** Of bytes that are not written yet; beyond it, `add` waits. */
const PENDING_LIMIT_BYTES = 4 * 1024 * 1024
const READ_BYTES = 1024 * 1024

type Given = {
  /** Called with how many bytes can be read. */
  onGrown(offset: number): void
  /** Asked before each write. */
  requireRoom?: RequireRoom
}

export class GrowingFile implements AsyncDisposable {
  readonly #file: FileHandle
  readonly #digest: Digest
  #hash: Hash
  readonly #onGrown: (offset: number) => void
  readonly #requireRoom: RequireRoom
  #pending: Buffer[] = []
  #pending_bytes = 0
  #writing: Promise<void> | undefined
  #failure: unknown
  #offset = 0

  private constructor(file: FileHandle, digest: Digest, { onGrown, requireRoom = async () => {} }: Given) {
    this.#file = file
    this.#digest = digest
    this.#hash = createHash(algorithmOf(digest))
    this.#onGrown = onGrown
    this.#requireRoom = requireRoom
  }

  /** Continues from the bytes that are there. */
  static async open(path: string, digest: Digest, given: Given): Promise<GrowingFile> {
    const growing = new GrowingFile(await open(path, constants.O_RDWR | constants.O_CREAT, 0o640), digest, given)
    try {
      await growing.#readLeftover()
    } catch (error) {
      await growing.#file.close()
      throw error
    }
    return growing
  }

  /** Bytes that are written. */
  get offset(): number {
    return this.#offset
  }
  /** Bytes that came, written or not. */
  get came(): number {
    return this.#offset + this.#pending_bytes
  }

  /** Resolves when more may come. @throws the error of the disk */
  async add(chunk: Buffer): Promise<void> {
    if (this.#failure) throw this.#failure
    this.#pending.push(chunk)
    this.#pending_bytes += chunk.length
    this.#writing ??= this.#drain()
    if (this.#pending_bytes >= PENDING_LIMIT_BYTES) await this.flush()
  }

  /** Resolves when all is written. @throws the error of the disk */
  async flush(): Promise<void> {
    await this.#writing
    if (this.#failure) throw this.#failure
  }

  /** Discards all bytes that came. */
  async beginAnew(): Promise<void> {
    await this.flush()
    await this.#file.truncate(0)
    this.#hash = createHash(algorithmOf(this.#digest))
    this.#offset = 0
    this.#onGrown(0)
  }

  /** Digest of the bytes that are written. */
  found = (): Digest => digestOfHash(algorithmOf(this.#digest), this.#hash.copy())

  /** The bytes survive a power cut when it resolves. */
  sync(): Promise<void> {
    return this.#file.datasync()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing
    await this.#file.close()
  }

  /** Never rejects: the next `add` throws the error. */
  async #drain(): Promise<void> {
    try {
      while (this.#pending.length > 0) {
        const chunks = this.#pending
        const bytes = this.#pending_bytes
        this.#pending = []
        await this.#write(chunks, bytes)
        this.#pending_bytes -= bytes
        this.#offset += bytes
        this.#onGrown(this.#offset)
      }
    } catch (error) {
      this.#failure = error
    } finally {
      this.#writing = undefined
    }
  }

  async #write(chunks: Buffer[], bytes: number): Promise<void> {
    await this.#requireRoom(bytes)
    const written = this.#file.writev(chunks, this.#offset)
    for (const chunk of chunks) this.#hash.update(chunk)
    let { bytesWritten } = await written
    if (bytesWritten === bytes) return
    const whole = Buffer.concat(chunks)
    while (bytesWritten < bytes) {
      const more = await this.#file.write(whole, bytesWritten, bytes - bytesWritten, this.#offset + bytesWritten)
      if (more.bytesWritten === 0) throw Object.assign(new Error('The disk takes no more bytes'), { code: 'ENOSPC' })
      bytesWritten += more.bytesWritten
    }
  }

  async #readLeftover(): Promise<void> {
    const { size } = await this.#file.stat()
    const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, Math.max(size, 1)))
    while (this.#offset < size) {
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, this.#offset)
      if (bytesRead === 0) break
      this.#hash.update(buffer.subarray(0, bytesRead))
      this.#offset += bytesRead
    }
    if (this.#offset > 0) this.#onGrown(this.#offset)
  }
}
