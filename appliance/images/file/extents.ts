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

const extent = z.object({ start: z.number().int().min(0), length: z.number().int().positive(), data: z.boolean() })
const EXTENTS_LIMIT = 100_000
const LINE_LIMIT = 1_000
const TIMEOUT_S = 30

/** @returns in order; the whole file when it cannot be told, which costs time only */
export async function dataExtents(file: FileHandle, size_bytes: number, signal: AbortSignal): Promise<Extent[]> {
  const whole = [{ start: 0, length: size_bytes }]
  const extents: Extent[] = []
  let isWhole = false
  const add = (line: string) => {
    const found = extentIn(line)
    isWhole ||= found === undefined || extents.length > EXTENTS_LIMIT
    if (found?.data && !isWhole) extents.push(found)
  }
  let rest = ''
  try {
    await runProgram({
      file: 'qemu-img',
      // The very file that is open, whatever lies under its name by now; and without a lock.
      args: ['map', '-U', '-f', 'raw', '--output=json', '/dev/stdin'],
      stdin: file.fd,
      reads: ['/dev/stdin'],
      // An extent a line, understood as it comes: a stranger's file may have very many.
      onOutput: (text) => {
        const lines = (rest + text).split('\n')
        rest = lines.pop()?.slice(-LINE_LIMIT) ?? ''
        for (const line of lines) add(line)
      },
      nice: 0,
      timeout_s: TIMEOUT_S,
      signal,
      about: 'A sparse image',
    })
    if (rest !== '') add(rest)
    return isWhole ? whole : inside(extents, size_bytes)
  } catch (error) {
    // Not installed, a file system that does not tell.
    if (error instanceof ImageUnacceptable) return whole
    throw error
  }
}

/** @returns undefined: no line of a map */
function extentIn(line: string): z.infer<typeof extent> | undefined {
  try {
    return extent.safeParse(JSON.parse(line.replace(/^\[/, '').replace(/[,\]]$/, ''))).data
  } catch {
    // Said by what is returned.
    return undefined
  }
}

function inside(extents: readonly Extent[], size_bytes: number): Extent[] {
  return extents
    .filter(({ start }) => start < size_bytes)
    .map(({ start, length }) => ({ start, length: Math.min(length, size_bytes - start) }))
    .sort((a, b) => a.start - b.start)
}
