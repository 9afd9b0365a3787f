/**
 * The content of all repositories, each blob once, by digest: plain files in blobs/ as in an OCI image layout. A
 * visible file is whole, and its digest is right.
 */
import { type FileHandle, open, opendir, readFile, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { unlessMissing } from '@appliance/ground/errno'
import { ALGORITHMS, algorithmOf, type Digest, hexOf, parseDigest } from '../oci/digest.ts'
import type { Disk } from './disk/disk.ts'

/** Reads a blob at any position. The reader of an unfinished transfer may have to wait. */
export type BlobReader = {
  readonly size_bytes: number
  /** Equal for all readers of one file that does not change. Left out: the blob is still in transfer. */
  readonly identity?: string
  /** Fills at most `length` bytes from the buffer's beginning. @returns 0 at the end, or when there will be no more */
  read(buffer: Buffer, length: number, position: number): Promise<number>
  close(): Promise<void>
}

/** Asking for a blob makes its file young again, unless it is younger than this. */
const YOUNG_MS = 60_000

export class BlobStore {
  readonly #disk: Disk
  readonly #folder: string
  /** Number of blobs that came since the start. */
  changes = 0

  constructor(disk: Disk) {
    this.#disk = disk
    this.#folder = join(disk.root, 'blobs')
  }

  path = (digest: Digest): string => join(this.#folder, algorithmOf(digest), hexOf(digest))

  /** @returns undefined  not stored */
  async sizeOf(digest: Digest): Promise<number | undefined> {
    return (await stat(this.path(digest)).catch(unlessMissing))?.size
  }

  /**
   * Milliseconds since 1970: when the blob was stored, or last freshened. This is the file system's change time,
   * which a resumed upload cannot make old.
   */
  async ageOf(digest: Digest): Promise<{ size_bytes: number; changed_at: number } | undefined> {
    const file = await stat(this.path(digest)).catch(unlessMissing)
    return file && { size_bytes: file.size, changed_at: file.ctimeMs }
  }

  /**
   * Makes the blob young, so that garbage collection leaves it alone for a while. Under the mutex of the digest this
   * has effect at once.
   * @returns whether the blob is here
   */
  async freshen(digest: Digest, now = Date.now()): Promise<boolean> {
    const found = await this.ageOf(digest)
    if (found === undefined) return false
    if (found.changed_at < now - YOUNG_MS) await utimes(this.path(digest), now / 1000, now / 1000).catch(unlessMissing)
    return true
  }

  /** The caller closes the reader. A blob that is removed meanwhile can be read to its end. */
  async open(digest: Digest): Promise<BlobReader | undefined> {
    const file = await this.openFile(digest)
    return file && readerOf(file)
  }

  /** As `open`, for another process to read. */
  openFile(digest: Digest): Promise<FileHandle | undefined> {
    return open(this.path(digest)).catch(unlessMissing)
  }

  /** Reads the whole blob: for manifests. */
  read(digest: Digest): Promise<Buffer | undefined> {
    return readFile(this.path(digest)).catch(unlessMissing)
  }

  /** @param bytes  their digest is proven by the caller */
  async put(digest: Digest, bytes: Uint8Array): Promise<void> {
    await this.#disk.requireRoom(bytes.length)
    this.changes++
    return this.#disk.write(this.path(digest), bytes)
  }

  /**
   * Moves a file of that digest, whose bytes are durable, into the store. It replaces a stored one, which may be
   * damaged.
   */
  adopt(path: string, digest: Digest): Promise<void> {
    this.changes++
    return this.#disk.place(path, this.path(digest))
  }

  /** The caller knows that nothing needs the blob. @returns whether it was stored */
  remove(digest: Digest): Promise<boolean> {
    return this.#disk.remove(this.path(digest))
  }

  async *list(): AsyncIterable<Digest> {
    for (const algorithm of ALGORITHMS) {
      for await (const { name } of (await opendir(join(this.#folder, algorithm)).catch(unlessMissing)) ?? []) {
        const digest = parseDigest(`${algorithm}:${name}`)
        if (digest) yield digest
      }
    }
  }
}

async function readerOf(file: FileHandle): Promise<BlobReader> {
  const { size, ino, mtimeMs } = await file.stat()
  return {
    size_bytes: size,
    // The replacement of a damaged file is another file.
    identity: `${ino} ${mtimeMs}`,
    read: async (buffer, length, position) => (await file.read(buffer, 0, length, position)).bytesRead,
    close: () => file.close(),
  }
}
