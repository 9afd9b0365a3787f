/**
 * Chunks of blobs in memory that clients share. When a rack starts at once, its machines read the same blobs at about
 * the same time: each chunk is read once and sent to all.
 */
import type { Chunk } from '@appliance/ground/send-chunks'
import type { BlobReader } from '../storage/blobs.ts'

export const CHUNK_BYTES = 512 * 1024
/** How far apart clients may be. More are in memory only while clients are being sent them. */
export const CACHED_CHUNKS = 32

/** The pool of buffers of CHUNK_BYTES. */
export type Memory = { take(): Buffer; giveBack(buffer: Buffer): void }
/** Of a file that does not change. */
export type SharedBlob = Pick<BlobReader, 'read' | 'size_bytes'> & { identity: string }

type SharedChunk = { identity: string; buffer: Buffer; length: Promise<number>; users: number; isSpoilt: boolean }

export class SharedChunks {
  readonly #memory: Memory
  /** By file and index; the last one used stands last. */
  readonly #chunks = new Map<string, SharedChunk>()
  /** Clients of each file. */
  readonly #clients = new Map<string, number>()

  constructor(memory: Memory) {
    this.#memory = memory
  }

  /** Called before the first chunk is taken; `leave` after the last. */
  join(identity: string): void {
    this.#clients.set(identity, this.#clientsOf(identity) + 1)
  }

  leave(identity: string): void {
    const left = this.#clientsOf(identity) - 1
    if (left > 0) this.#clients.set(identity, left)
    else this.#clients.delete(identity)
    if (left > 1) return
    // A client that is alone reads no chunk twice.
    for (const [key, chunk] of this.#chunks) if (chunk.identity === identity) this.#dropUnused(key, chunk)
  }

  #clientsOf = (identity: string): number => this.#clients.get(identity) ?? 0

  /** @returns at most `length` bytes from there, up to the end of a chunk; none  there are no more */
  async take(blob: SharedBlob, position: number, length: number): Promise<Required<Chunk>> {
    const index = Math.floor(position / CHUNK_BYTES)
    const key = `${blob.identity} ${index}`
    const chunk = this.#chunks.get(key) ?? this.#read(key, blob, index)
    this.#chunks.delete(key)
    this.#chunks.set(key, chunk)
    chunk.users++
    const release = (isSent: boolean) => this.#release(key, chunk, isSent)
    try {
      const there = await chunk.length
      const from = position - index * CHUNK_BYTES
      return { bytes: chunk.buffer.subarray(from, Math.max(from, Math.min(there, from + length))), release }
    } catch (error) {
      // The next caller reads again.
      if (this.#chunks.get(key) === chunk) this.#chunks.delete(key)
      release(true)
      throw error
    }
  }

  #read(key: string, blob: SharedBlob, index: number): SharedChunk {
    this.#trim(CACHED_CHUNKS - 1)
    const buffer = this.#memory.take()
    const length = readAll(blob, buffer, index * CHUNK_BYTES)
    const chunk = { identity: blob.identity, buffer, length, users: 0, isSpoilt: false }
    this.#chunks.set(key, chunk)
    return chunk
  }

  #release(key: string, chunk: SharedChunk, isSent: boolean): void {
    chunk.users--
    chunk.isSpoilt ||= !isSent
    if (chunk.users > 0) return
    if (this.#chunks.get(key) !== chunk) this.#free(chunk)
    // A buffer that is used again at once is still in the processor's cache.
    else if (this.#clientsOf(chunk.identity) < 2) this.#dropUnused(key, chunk)
    else this.#trim(CACHED_CHUNKS)
  }

  /** Chunks in use stay. */
  #trim(limit: number): void {
    for (const [key, chunk] of this.#chunks) {
      if (this.#chunks.size <= limit) return
      this.#dropUnused(key, chunk)
    }
  }

  #dropUnused(key: string, chunk: SharedChunk): void {
    if (chunk.users > 0) return
    this.#chunks.delete(key)
    this.#free(chunk)
  }

  #free({ buffer, isSpoilt }: SharedChunk): void {
    if (!isSpoilt) this.#memory.giveBack(buffer)
  }
}

/** @returns how much of the chunk there is */
async function readAll(blob: SharedBlob, buffer: Buffer, position: number): Promise<number> {
  const wanted = Math.min(buffer.length, blob.size_bytes - position)
  let done = 0
  while (done < wanted) {
    const bytes = await blob.read(buffer.subarray(done), wanted - done, position + done)
    if (bytes === 0) break
    done += bytes
  }
  return done
}
