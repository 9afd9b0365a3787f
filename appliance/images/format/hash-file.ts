/** Hashes a file in pieces that leave the event loop room between them. */
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { readAhead } from '../source/read-ahead.ts'

/** @returns hex digests by algorithm */
export async function hashFile(
  path: string,
  algorithms: readonly string[],
  signal: AbortSignal,
  progress?: (done: number) => void,
): Promise<Readonly<Record<string, string>>> {
  const hashes = algorithms.map((algorithm) => createHash(algorithm))
  await using file = await open(path, 'r')
  let done = 0
  for await (const piece of readAhead(file, (await file.stat()).size)) {
    signal.throwIfAborted()
    for (const hash of hashes) hash.update(piece)
    done += piece.length
    progress?.(done)
  }
  return Object.fromEntries(hashes.map((hash, index) => [algorithms[index], hash.digest('hex')]))
}
