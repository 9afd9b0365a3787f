/** Pieces of blobs in memory, for clients that read the same ones at about the same time, as a rack does that starts at once: read once, sent to all. */
import type { Piece } from '@appliance/ground/send-pieces'
import type { BlobReader } from '../storage/blobs.ts'

export const PIECE_BYTES = 512 * 1024
/** How far apart clients may be. More are in memory only while as many clients wait for what they hold. */
export const KEPT_PIECES = 32

/** Where buffers of PIECE_BYTES come from, and go to again. */
export type Memory = { take(): Buffer; giveBack(buffer: Buffer): void }
/** Of a file that does not change. */
export type SharedBlob = Pick<BlobReader, 'read' | 'size_bytes'> & { identity: string }

type SharedPiece = { identity: string; buffer: Buffer; length: Promise<number>; users: number; isSpoilt: boolean }

export class Pieces {
  readonly #memory: Memory
  /** By file and place; what was used last is last. */
  readonly #pieces = new Map<string, SharedPiece>()
  /** Clients of each file. */
  readonly #clients = new Map<string, number>()

  constructor(memory: Memory) {
    this.#memory = memory
  }

  /** To be called before the first piece is taken; `leave` behind the last. */
  join(identity: string): void {
    this.#clients.set(identity, this.#clientsOf(identity) + 1)
  }

  leave(identity: string): void {
    const left = this.#clientsOf(identity) - 1
    if (left > 0) this.#clients.set(identity, left)
    else this.#clients.delete(identity)
    if (left > 1) return
    // Who is alone comes back to none of them.
    for (const [key, piece] of this.#pieces) if (piece.identity === identity) this.#dropUnused(key, piece)
  }

  #clientsOf = (identity: string): number => this.#clients.get(identity) ?? 0

  /** @returns at most `length` bytes from there, up to the end of a piece; none: there are no more */
  async take(blob: SharedBlob, position: number, length: number): Promise<Required<Piece>> {
    const index = Math.floor(position / PIECE_BYTES)
    const key = `${blob.identity} ${index}`
    const piece = this.#pieces.get(key) ?? this.#read(key, blob, index)
    this.#pieces.delete(key)
    this.#pieces.set(key, piece)
    piece.users++
    const release = (isSent: boolean) => this.#release(key, piece, isSent)
    try {
      const there = await piece.length
      const from = position - index * PIECE_BYTES
      return { bytes: piece.buffer.subarray(from, Math.max(from, Math.min(there, from + length))), release }
    } catch (error) {
      // Whoever comes next tries again.
      if (this.#pieces.get(key) === piece) this.#pieces.delete(key)
      release(true)
      throw error
    }
  }

  #read(key: string, blob: SharedBlob, index: number): SharedPiece {
    this.#trim(KEPT_PIECES - 1)
    const buffer = this.#memory.take()
    const length = readAll(blob, buffer, index * PIECE_BYTES)
    const piece = { identity: blob.identity, buffer, length, users: 0, isSpoilt: false }
    this.#pieces.set(key, piece)
    return piece
  }

  #release(key: string, piece: SharedPiece, isSent: boolean): void {
    piece.users--
    piece.isSpoilt ||= !isSent
    if (piece.users > 0) return
    if (this.#pieces.get(key) !== piece) this.#free(piece)
    // A buffer that is used again at once is still in the processor's cache.
    else if (this.#clientsOf(piece.identity) < 2) this.#dropUnused(key, piece)
    else this.#trim(KEPT_PIECES)
  }

  /** What is used stays. */
  #trim(limit: number): void {
    for (const [key, piece] of this.#pieces) {
      if (this.#pieces.size <= limit) return
      this.#dropUnused(key, piece)
    }
  }

  #dropUnused(key: string, piece: SharedPiece): void {
    if (piece.users > 0) return
    this.#pieces.delete(key)
    this.#free(piece)
  }

  #free({ buffer, isSpoilt }: SharedPiece): void {
    if (!isSpoilt) this.#memory.giveBack(buffer)
  }
}

/** @returns how much of the piece there is */
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
