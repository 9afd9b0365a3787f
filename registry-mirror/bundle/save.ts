/** Saves a bundle in a file, whole or not at all. An interrupted export continues from its partial file. */
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { unlessMissing } from '@appliance/ground/errno'
import { renameDurably } from '@appliance/ground/files'
import { receive } from '../storage/disk/receive.ts'
import { parseBundleIndex } from './check-index.ts'
import { BundleError, type BundleIndex, sizeOfBundle } from './format.ts'
import { type OnProgress, readBundle } from './read.ts'
import { bundleBytes, type ContentOf } from './write.ts'

/** The partial file: `end` bytes with `written` entries. */
type Begun = { index: BundleIndex; written: number; end: number }

/** @returns bytes of an interrupted export that were used */
export async function saveBundle(
  path: string,
  index: BundleIndex,
  contentOf: ContentOf,
  onProgress: OnProgress = () => {},
): Promise<number> {
  const partial = `${path}.partial`
  const begun = await findBegun(partial, index)
  {
    await using file = await open(partial, begun ? 'r+' : 'w', 0o640).catch((error: Error) => {
      throw new BundleError(`${path} cannot be written: ${error.message}.`, { cause: error })
    })
    await file.truncate(begun?.end ?? 0)
    const total = sizeOfBundle(index)
    const progress = { offset: begun?.end ?? 0, hash: undefined }
    const bytes = begun ? bundleBytes(begun.index, contentOf, begun.written) : bundleBytes(index, contentOf)
    const counted = async function* () {
      let done = begun?.end ?? 0
      for await (const chunk of bytes) {
        done += chunk.length
        onProgress(Math.min(done, total), total)
        yield chunk as Buffer
      }
    }
    await receive(counted(), file, progress)
    await file.datasync()
  }
  await renameDurably(partial, path)
  return begun?.end ?? 0
}

/** Verifies every byte of the partial file. @returns undefined  nothing to continue from */
async function findBegun(partial: string, index: BundleIndex): Promise<Begun | undefined> {
  if (!(await stat(partial).catch(unlessMissing))?.isFile()) return undefined
  let begun: Begun | undefined
  try {
    await readBundle(createReadStream(partial, { highWaterMark: 1024 * 1024 }), async ({ index: found, entries }) => {
      if (!isSame(found, index)) return
      let written = 0
      let before = 0
      for await (const { end } of entries()) {
        // The previous entry is whole and verified when the next one comes.
        if (written > 0) begun = { index: found, written, end: before }
        written++
        before = end
      }
    })
  } catch {
    // The file ends where the export was interrupted; the whole entries before that are used.
  }
  return begun
}

/** @param found  as it was read; the other one has its fields in another order */
const isSame = (found: BundleIndex, planned: BundleIndex) => textOf(found) === textOf(asRead(planned))

const asRead = (index: BundleIndex) => parseBundleIndex(Buffer.from(JSON.stringify(index)))
const textOf = (index: BundleIndex) => JSON.stringify({ ...index, created_at: '' })
