/** Where a sparse file has data, as qemu-img tells it. */
import assert from 'node:assert/strict'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { dataExtents } from '../../../../appliance/images/file/extents.ts'
import { temporaryFolder } from '../images-in-folder.ts'

const signal = () => AbortSignal.timeout(30_000)
const KIB = 1024

describe('the extents of a file', () => {
  it('are those with data, in order; of a file without holes the whole', async (t) => {
    const folder = temporaryFolder()
    t.after(() => rm(folder, { recursive: true }))
    await using sparse = await open(join(folder, 'sparse'), 'w+')
    await sparse.truncate(1024 * KIB)
    for (const at of [512, 128]) await sparse.write(Buffer.alloc(4 * KIB, 1), 0, 4 * KIB, at * KIB)
    await using full = await open(join(folder, 'full'), 'w+')
    await full.write(Buffer.alloc(8 * KIB, 1))

    assert.deepEqual(await dataExtents(sparse, 1024 * KIB, signal()), [
      { start: 128 * KIB, length: 4 * KIB },
      { start: 512 * KIB, length: 4 * KIB },
    ])
    assert.deepEqual(await dataExtents(full, 8 * KIB, signal()), [{ start: 0, length: 8 * KIB }])
  })
})
