/** The compressed form of an image: worth having, and made wherever the appliance runs. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { compress } from '../../../../appliance/images/format/compress.ts'
import { digest, diskContent, temporaryFolder } from '../images-in-folder.ts'

describe('the compressed form of an image', () => {
  const folder = temporaryFolder()
  const [from, to] = [join(folder, 'image'), join(folder, 'image.packed')]
  after(() => rmSync(folder, { recursive: true }))
  const pack = (content: Buffer, encoding: 'zstd' | 'gzip') => {
    writeFileSync(from, content)
    return compress({ encoding, from, to, size_bytes: content.length, shown: 'x', signal: AbortSignal.timeout(20_000) })
  }

  it('is the image again when unpacked, and tells its own size and sha256', async () => {
    const disk = diskContent()
    for (const [encoding, unpack] of [
      ['zstd', zstdDecompressSync],
      ['gzip', gunzipSync],
    ] as const) {
      const variant = await pack(disk, encoding)

      const packed = readFileSync(to)
      assert.deepEqual(variant, {
        encoding,
        size_bytes: packed.length,
        checksum: { algorithm: 'sha512', value: digest(packed, 'sha512') },
      })
      assert.deepEqual(unpack(packed), disk)
    }
  })

  it('is made by Node itself where zstd is not installed', async (t) => {
    const path = process.env.PATH
    t.after(() => {
      process.env.PATH = path
    })
    const disk = diskContent()
    // Neither nice nor zstd nor qemu-img are there.
    process.env.PATH = folder

    await pack(disk, 'zstd')

    assert.deepEqual(zstdDecompressSync(readFileSync(to)), disk)
  })

  it('is not kept when it saves nothing', async () => {
    assert.equal(await pack(randomBytes(300_000), 'zstd'), undefined)
    assert.equal(existsSync(to), false)
  })
})
