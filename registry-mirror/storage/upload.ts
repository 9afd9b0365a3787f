/**
 * One upload of a blob: its bytes in a file, its hash made as they come. The latest request owns the upload: a client
 * whose connection broke may return before we notice.
 */
import { createHash, type Hash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, stat, truncate } from 'node:fs/promises'
import { type Algorithm, algorithmOf, type Digest, digestOfHash } from '../oci/digest.ts'
import { digestInvalid } from '../oci/errors.ts'
import { type Progress, type RequireRoom, receive } from './disk/receive.ts'

const READ_BYTES = 1024 * 1024

export class Upload {
  readonly id: string
  readonly path: string
  readonly #algorithm: Algorithm
  readonly #requireRoom: RequireRoom
  /** Without a hash, the hash is made from the file, as after a restart. */
  readonly #progress: Progress
  #queue: Promise<unknown> = Promise.resolve()
  #giveWay: () => void = () => {}
  #waiting = 0
  lastUsed = Date.now()
  ended = false

  /** @param offset  0: nothing has come yet; more: found at a start */
  constructor(id: string, path: string, given: { algorithm: Algorithm; offset: number; requireRoom: RequireRoom }) {
    this.id = id
    this.path = path
    const { algorithm, offset } = given
    this.#algorithm = algorithm
    this.#requireRoom = given.requireRoom
    this.#progress = { offset, hash: offset === 0 ? createHash(algorithm) : undefined }
  }

  /** A request works on it, or waits to. */
  get isBusy(): boolean {
    return this.#waiting > 0
  }

  get offset(): number {
    return this.#progress.offset
  }

  /** @param giveWay  called when another request speaks for this upload: `act` is to end soon, whatever it has done */
  async exclusively<T>(giveWay: () => void, act: () => Promise<T>): Promise<T> {
    this.#giveWay()
    this.#waiting++
    const mine = this.#queue.then(() => {
      this.#giveWay = giveWay
      this.lastUsed = Date.now()
      return act()
    })
    this.#queue = mine.catch(() => {})
    try {
      return await mine
    } finally {
      this.#waiting--
      this.lastUsed = Date.now()
      if (this.#giveWay === giveWay) this.#giveWay = () => {}
    }
  }

  /** Appends the body, not yet durably: see finish. @throws the error of body or disk; the bytes that came stay */
  async append(body: AsyncIterable<Buffer>): Promise<void> {
    await using file = await open(this.path, constants.O_RDWR)
    this.#progress.hash ??= await hashOf(file, this.#algorithm, this.offset)
    await receive(body, file, this.#progress, this.#requireRoom)
  }

  /** Forgets what came after `offset`. */
  async rollBack(offset: number): Promise<void> {
    await truncate(this.path, offset)
    this.#progress.offset = offset
    this.#progress.hash = undefined
  }

  /** Makes the bytes durable. @throws OciError  DIGEST_INVALID: they are not of this digest */
  async finish(digest: Digest): Promise<void> {
    await using file = await open(this.path, constants.O_RDWR)
    if ((await stat(this.path)).size > this.offset) await file.truncate(this.offset)
    const algorithm = algorithmOf(digest)
    const kept = this.#algorithm === algorithm ? this.#progress.hash : undefined
    const found = digestOfHash(algorithm, kept ?? (await hashOf(file, algorithm, this.offset)))
    if (found !== digest)
      throw digestInvalid(`What was uploaded has the digest ${found}, not ${digest}. Upload it again.`, {
        digest,
        found,
        size: this.offset,
      })
    await file.datasync()
  }
}

async function hashOf(file: FileHandle, algorithm: Algorithm, size_bytes: number): Promise<Hash> {
  const hash = createHash(algorithm)
  const buffer = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, Math.max(size_bytes, 1)))
  for (let at = 0; at < size_bytes; ) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, size_bytes - at), at)
    if (bytesRead === 0) throw new Error(`An upload's file ends at ${at} of ${size_bytes} bytes`)
    hash.update(buffer.subarray(0, bytesRead))
    at += bytesRead
  }
  return hash
}
