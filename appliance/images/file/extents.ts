/**
 * Where a sparse file has data. Node cannot seek to it; qemu-img, which is here anyway, can. Reading a hole costs as
 * much as reading data.
 */
import type { FileHandle } from 'node:fs/promises'
import { z } from 'zod'
import { ImageUnacceptable } from '../../errors.ts'
import { runProgram } from './programs.ts'

/** What is between two extents reads as zeros. */
export type Extent = { start: number; length: number }

const map = z.array(
  z.object({ start: z.number().int().min(0), length: z.number().int().positive(), data: z.boolean() }),
)
/** Some 100,000 extents. */
const OUTPUT_LIMIT_CHARACTERS = 16 * 1024 * 1024
const TIMEOUT_S = 30

/** @returns in order; the whole file when it cannot be told, which costs time only */
export async function dataExtents(file: FileHandle, size_bytes: number, signal: AbortSignal): Promise<Extent[]> {
  const whole = [{ start: 0, length: size_bytes }]
  let said = ''
  try {
    await runProgram({
      file: 'qemu-img',
      // The very file that is open, whatever lies under its name by now; and without a lock.
      args: ['map', '-U', '-f', 'raw', '--output=json', '/dev/stdin'],
      stdin: file.fd,
      reads: ['/dev/stdin'],
      onOutput: (text) => {
        if (said.length < OUTPUT_LIMIT_CHARACTERS) said += text
      },
      nice: 0,
      timeout_s: TIMEOUT_S,
      signal,
      about: 'A sparse image',
    })
    return inside(map.parse(JSON.parse(said)), size_bytes)
  } catch (error) {
    // Not installed, too many extents, a file system that does not tell.
    if (error instanceof ImageUnacceptable || error instanceof SyntaxError || error instanceof z.ZodError) return whole
    throw error
  }
}

function inside(extents: z.infer<typeof map>, size_bytes: number): Extent[] {
  return extents
    .filter(({ data, start }) => data && start < size_bytes)
    .map(({ start, length }) => ({ start, length: Math.min(length, size_bytes - start) }))
    .sort((a, b) => a.start - b.start)
}
