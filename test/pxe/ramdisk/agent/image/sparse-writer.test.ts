/** The writer onto disks, on a plain file: every byte where it belongs, whatever the size of the pieces. */
import assert from 'node:assert/strict'
import { mkdtemp, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { DiskFull, openSparseWriter } from '../../../../../pxe/ramdisk/agent/image/sparse-writer.ts'

const KIB = 1024
const MIB = 1024 * KIB
const DISK_BYTES = 8 * MIB

/** Runs of data and of zeros whose ends lie on no boundary; the same every time. */
function patchwork(size: number): Buffer {
  const content = Buffer.alloc(size)
  for (let at = 0, step = 1; at < size; at += step * 7919, step = (step * 5) % 23 || 1) {
    content.fill((at % 251) + 1, at, Math.min(size, at + step * 1009))
  }
  content.fill(0, 2 * MIB + 5, 4 * MIB - 3)
  return content
}

describe('the writer onto disks', () => {
  let folder: string
  let disk: string
  const content = patchwork(5 * MIB + 12_345)

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sparse-'))
    disk = join(folder, 'disk')
  })
  after(() => rm(folder, { recursive: true }))

  async function write(piece_bytes: number, zeros_until: number) {
    await using writer = await openSparseWriter(disk, { size_bytes: DISK_BYTES })
    writer.zerosUntil(zeros_until)
    for (let at = 0; at < content.length; at += piece_bytes) {
      // Handed over in a buffer that is used again, as a decompressor may do.
      const piece = Buffer.from(content.subarray(at, at + piece_bytes))
      await writer.write(piece)
      piece.fill(0xee)
    }
    return await writer.finish()
  }

  for (const piece_bytes of [1000, 64 * KIB, 64 * KIB + 1, 3 * MIB + 7, content.length]) {
    it(`puts pieces of ${piece_bytes} bytes in their places on an empty disk and on a used one`, async () => {
      for (const [old, zeros_until] of [
        [0, content.length + 64 * KIB],
        [0xaa, 0],
      ] as const) {
        await writeFile(disk, Buffer.alloc(DISK_BYTES, old))

        await write(piece_bytes, zeros_until)

        const found = await readFile(disk)
        assert.equal(found.length, DISK_BYTES)
        assert.ok(found.subarray(0, content.length).equals(content))
      }
    })
  }

  it('skips zeros only as far as the disk is known to hold them', async () => {
    await writeFile(disk, Buffer.alloc(DISK_BYTES, 0xaa))
    await using file = await open(disk, 'r+')
    await file.write(Buffer.alloc(3 * MIB), 0, 3 * MIB, 0)

    await write(100_000, 3 * MIB)

    assert.ok((await readFile(disk)).subarray(0, content.length).equals(content))
  })

  it('leaves runs of zeros unwritten', async () => {
    await writeFile(disk, '')
    await truncate(disk, DISK_BYTES)

    const { written_bytes } = await write(MIB, DISK_BYTES)

    assert.ok(written_bytes < content.length - 1.8 * MIB, `${written_bytes} bytes were written`)
    assert.ok((await stat(disk)).blocks * 512 < content.length - 1.8 * MIB)
  })

  it('refuses what does not fit on the disk', async () => {
    await using writer = await openSparseWriter(disk, { size_bytes: MIB })
    await writer.write(Buffer.alloc(MIB, 1))

    await assert.rejects(writer.write(Buffer.alloc(1)), DiskFull)
  })
})
