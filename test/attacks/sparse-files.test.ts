/** Files with very many holes, as a stranger may have made them. */
import assert from 'node:assert/strict'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { dataExtents } from '../../appliance/images/file/extents.ts'
import { temporaryFolder } from '../appliance/images/images-in-folder.ts'
import { leastTick } from './longest-tick.ts'

const signal = () => AbortSignal.timeout(30_000)
const KIB = 1024

describe('the extents of a file', () => {
  it('are read as they come: thousands of them stand nothing still', async (t) => {
    const folder = temporaryFolder()
    t.after(() => rm(folder, { recursive: true }))
    await using file = await open(join(folder, 'holes'), 'w+')
    const count = 5000
    for (let at = 0; at < count; at++) await file.write(Buffer.from('x'), 0, 1, at * 8 * KIB)
    const size_bytes = (count - 1) * 8 * KIB + 1
    await dataExtents(file, size_bytes, signal())

    const { longest_ms, value } = await leastTick(50, () => dataExtents(file, size_bytes, signal()))

    assert.equal(value.length, count)
    assert.ok(longest_ms < 50, `everything stood still for ${longest_ms} ms`)
  })
})
