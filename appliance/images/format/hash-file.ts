/** Hashes a file in pieces that leave the event loop room between them. */
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { readPieces } from '../file/read-pieces.ts'

/** @returns hex digest */
export async function hashFile(
  path: string,
  algorithm: string,
  signal: AbortSignal,
  progress?: (done: number) => void,
): Promise<string> {
  const hash = createHash(algorithm)
  await using file = await open(path, 'r')
  let done = 0
  for await (const { bytes } of readPieces(file, (await file.stat()).size, signal)) {
    hash.update(bytes)
    done += bytes.length
    progress?.(done)
  }
  return hash.digest('hex')
}
