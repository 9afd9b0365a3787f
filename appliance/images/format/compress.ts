/** Makes the compressed form of a raw image beside it: what crosses the wire then is a fraction of the disk. */
import { type FileHandle, open, rm, stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createZstdCompress } from 'node:zlib'
import type { ImageVariant } from '../../plugin-api/index.ts'
import { NotInstalled, runProgram } from '../file/programs.ts'
import { readPieces } from '../file/read-pieces.ts'
import { hashFile } from './hash-file.ts'

export type Compression = {
  encoding: ImageVariant['encoding']
  from: string
  to: string
  size_bytes: number
  shown: string
  progress?(done: number): void
  signal: AbortSignal
}

/** zstd 3 takes 2.3 s of processor time for 1.5 GiB with 350 MiB of data (143 MB then); gzip 1 takes 9.4 s (170 MB). */
const ZSTD_LEVEL = 3
const THREADS_LIMIT = 4
/** A deploy waits for zstd, nobody for gzip. */
const NICE = { zstd: 1, gzip: 19 } as const
const SLOWEST_BYTES_PER_S = 5 * 1000 * 1000
/** A form that saves less is not worth its room. */
const WORTHWHILE = 0.95
/**
 * What the machine checks of the bytes on the wire. On processors without SHA extensions, emulated ones most of all, it
 * costs a fifth of sha256 (8 MiB under QEMU's TCG: 89 ms against 471).
 */
const WIRE_ALGORITHM = 'sha512'
/** No checksum of zstd's own: the machine checks the wire's. */
const COMMANDS = {
  zstd: ['zstd', '-q', '-c', `-${ZSTD_LEVEL}`, '--no-check', `-T${Math.min(THREADS_LIMIT, availableParallelism())}`],
  gzip: ['gzip', '-1', '-n', '-c'],
} as const

/** @returns undefined, and no file, when compressing is not worth it. @throws as runProgram does */
export async function compress(job: Compression): Promise<ImageVariant | undefined> {
  try {
    await byProgram(job)
  } catch (error) {
    if (!(error instanceof NotInstalled) || job.encoding !== 'zstd') throw error
    await byNode(job)
  }
  const { size: size_bytes } = await stat(job.to)
  if (size_bytes > job.size_bytes * WORTHWHILE) {
    await rm(job.to)
    return undefined
  }
  const value = await hashFile(job.to, WIRE_ALGORITHM, job.signal)
  return { encoding: job.encoding, size_bytes, checksum: { algorithm: WIRE_ALGORITHM, value } }
}

/**
 * Out of process and on all processors, fed by a pipe: what it would read of a file's holes costs more than the pipe.
 */
async function byProgram(job: Compression): Promise<void> {
  await using from = await open(job.from, 'r')
  await using to = await open(job.to, 'w', 0o600)
  const [file, ...args] = COMMANDS[job.encoding]
  await runProgram({
    file,
    args,
    input: contentOf(from, job),
    stdout: to.fd,
    nice: NICE[job.encoding],
    timeout_s: 60 + Math.ceil(job.size_bytes / SLOWEST_BYTES_PER_S),
    signal: job.signal,
    about: `The ${job.encoding} form of image ${job.shown}`,
  })
}

/** Slower, as it uses one processor: Node's encoder breaks with more workers (24.21). */
async function byNode(job: Compression): Promise<void> {
  await using from = await open(job.from, 'r')
  await using to = await open(job.to, 'w', 0o600)
  const params = { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL }
  const encoder = createZstdCompress({ params, chunkSize: 1024 * 1024 })
  const write = async (packed: AsyncIterable<Buffer>) => {
    for await (const piece of packed) await to.writeFile(piece)
  }
  const content = async function* () {
    // The encoder looks at a piece after the next one was asked for.
    for await (const piece of contentOf(from, job)) yield Buffer.from(piece)
  }
  await pipeline(Readable.from(content()), encoder, write, { signal: job.signal })
}

async function* contentOf(file: FileHandle, { size_bytes, progress, signal }: Compression): AsyncGenerator<Buffer> {
  let done = 0
  for await (const { bytes } of readPieces(file, size_bytes, signal)) {
    yield bytes
    done += bytes.length
    progress?.(done)
  }
}
