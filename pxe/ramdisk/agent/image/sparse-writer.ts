/**
 * Writes a stream of bytes to a disk in large aligned blocks, several at a time, and past the page cache where the
 * disk allows it. Skips runs of zeros where its caller says that the disk holds zeros already. Knows nothing of
 * images.
 */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

export type SparseWriter = AsyncDisposable & {
  /** The disk holds zeros from its beginning up to here; they need not be written. Call it before the first write. */
  zerosUntil(end_bytes: number): void
  /**
   * Resolves when there is room for more; the chunk may be reused then.
   * @throws Error  an earlier write failed, the disk is full
   */
  write(chunk: Buffer): Promise<void>
  /** Resolves when all is on the disk. */
  finish(): Promise<{ written_bytes: number }>
}
export type SparseWriterOptions = {
  /** Of the disk. */
  size_bytes: number
}

const BLOCK_BYTES = 1024 * 1024
/** Runs of zeros shorter than this are written. */
const GRAIN_BYTES = 64 * 1024
const BLOCKS = 4
const ZEROS = Buffer.alloc(GRAIN_BYTES)

type Block = { buffer: Buffer; start: number; dirty: boolean[] }

/**
 * A buffer that may be resized lies on a page of its own, as writing past the page cache demands; others are off by
 * 16 bytes.
 */
const pageAligned = () => Buffer.from(new ArrayBuffer(BLOCK_BYTES, { maxByteLength: BLOCK_BYTES }), 0, BLOCK_BYTES)

/** @throws Error  not there, read-only, in use (EBUSY: mounted, or part of a RAID) */
export async function openSparseWriter(path: string, options: SparseWriterOptions): Promise<SparseWriter> {
  const file = await openPastCache(path)
  const free: Block[] = Array.from({ length: BLOCKS }, () => ({ buffer: pageAligned(), start: -1, dirty: [] }))
  const flights = new Set<Promise<void>>()
  let position = 0
  let written_bytes = 0
  let zeros_until_bytes = 0
  let current: Block | undefined
  let failure: unknown

  async function block(): Promise<Block> {
    if (current) return current
    while (free.length === 0) {
      await Promise.race(flights)
      if (failure !== undefined) throw failure
    }
    current = free.pop() as Block
    current.start = position - (position % BLOCK_BYTES)
    current.dirty = []
    return current
  }

  /** Writes each run of grains that hold data. */
  async function put({ buffer, start, dirty }: Block): Promise<void> {
    for (let grain = 0; grain < dirty.length; grain++) {
      if (!dirty[grain]) continue
      let end = grain
      while (dirty[end]) end++
      const length = Math.min((end - grain) * GRAIN_BYTES, options.size_bytes - start - grain * GRAIN_BYTES)
      await writeWhole(
        file,
        buffer.subarray(grain * GRAIN_BYTES, grain * GRAIN_BYTES + length),
        start + grain * GRAIN_BYTES,
      )
      written_bytes += length
      grain = end
    }
  }

  function flush(): void {
    const full = current
    current = undefined
    if (!full) return
    const flight = put(full)
      .catch((error: unknown) => {
        failure ??= error
      })
      .finally(() => {
        flights.delete(flight)
        free.push(full)
      })
    flights.add(flight)
  }

  /** A grain, or the part of one that is at hand. */
  async function take(chunk: Buffer, from: number, length: number): Promise<void> {
    const within = position % GRAIN_BYTES
    const skippable = position - within + GRAIN_BYTES <= zeros_until_bytes
    if (skippable && length === GRAIN_BYTES && ZEROS.compare(chunk, from, from + length) === 0) {
      position += length
    } else {
      const target = await block()
      const at = position % BLOCK_BYTES
      chunk.copy(target.buffer, at, from, from + length)
      position += length
      if (within + length === GRAIN_BYTES) {
        const begin = at - within
        target.dirty[begin / GRAIN_BYTES] = !skippable || ZEROS.compare(target.buffer, begin, begin + GRAIN_BYTES) !== 0
      }
    }
    if (position % BLOCK_BYTES === 0) flush()
  }

  /** The last grain, filled up with zeros to whole sectors. */
  async function pad(): Promise<void> {
    const within = position % GRAIN_BYTES
    if (within === 0) return
    const target = await block()
    const at = position % BLOCK_BYTES
    target.buffer.fill(0, at, at - within + GRAIN_BYTES)
    target.dirty[(at - within) / GRAIN_BYTES] = true
  }

  return {
    zerosUntil(end_bytes) {
      zeros_until_bytes = end_bytes
    },
    async write(chunk) {
      if (position + chunk.length > options.size_bytes) throw new DiskFull(path, options.size_bytes)
      for (let at = 0; at < chunk.length; ) {
        if (failure !== undefined) throw failure
        const length = Math.min(GRAIN_BYTES - (position % GRAIN_BYTES), chunk.length - at)
        await take(chunk, at, length)
        at += length
      }
    },
    async finish() {
      await pad()
      flush()
      await Promise.all(flights)
      if (failure !== undefined) throw failure
      await file.sync()
      return { written_bytes }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(flights)
      await file.close()
    },
  }
}

export class DiskFull extends Error {
  constructor(path: string, size_bytes: number) {
    super(`the image is larger than ${path}, which has ${size_bytes} bytes`)
  }
}

/** O_EXCL on a block device: refused while it is mounted or part of something. */
async function openPastCache(path: string): Promise<FileHandle> {
  const flags = constants.O_RDWR | constants.O_EXCL
  try {
    const file = await open(path, flags | constants.O_DIRECT)
    const probe = await file.read(pageAligned(), 0, BLOCK_BYTES, 0).catch(() => undefined)
    if (probe) return file
    await file.close()
  } catch (error) {
    // tmpfs, in tests; whatever else is wrong shows again below.
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error
  }
  return open(path, flags)
}

async function writeWhole(file: FileHandle, content: Buffer, position: number): Promise<void> {
  for (let done = 0; done < content.length; ) {
    const { bytesWritten } = await file.write(content, done, content.length - done, position + done)
    if (bytesWritten === 0) throw new Error(`the disk takes no more at ${position + done}`)
    done += bytesWritten
  }
}
