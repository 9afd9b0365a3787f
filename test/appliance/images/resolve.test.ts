/** What image_source becomes: the file that an agent is told to fetch. Real images, real qemu-img, a real upstream. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { appendFileSync, copyFileSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { zstdDecompressSync } from 'node:zlib'
import {
  digest,
  diskContent,
  fetchPlain,
  type ImagesInFolder,
  NODE,
  openImages,
  writeQcow2,
} from './images-in-folder.ts'

const get = async (url: string) => Buffer.from(await (await fetchPlain(url)).arrayBuffer())
const size_bytes = 4 * 1024 * 1024
const unacceptable = (message: string | RegExp) => ({ name: 'ImageUnacceptable', message })

describe('a file:// image', () => {
  let box: ImagesInFolder
  const disk = diskContent()
  const sha256 = digest(disk)
  let paths: { raw: string; qcow2: string }
  const resolve = (instance_info: object) => box.images.resolve(box.request({ ...instance_info }))

  before(async () => {
    box = await openImages()
    paths = writeQcow2(box.folder, disk)
  })
  after(() => box[Symbol.asyncDispose]())

  it('is copied into the cache and served under http_url, with its sha256 and a compressed form', async () => {
    const served = await resolve({ image_source: `file://${paths.raw}` })

    const [variant] = served.variants
    assert.deepEqual(served, {
      url: `${box.url}/agent_images/${NODE}`,
      format: 'raw',
      size_bytes,
      checksum: { algorithm: 'sha256', value: sha256 },
      stream: true,
      variants: [variant],
    })
    assert.deepEqual(await get(served.url), disk)
    const packed = readFileSync(join(box.cache, readdirSync(box.cache)[0] ?? '', 'image.zst'))
    assert.deepEqual(variant, {
      encoding: 'zstd',
      size_bytes: packed.length,
      checksum: { algorithm: 'sha512', value: digest(packed, 'sha512') },
    })
    assert.deepEqual(zstdDecompressSync(packed), disk)
  })

  it('takes no more room than its data', async () => {
    await resolve({ image_source: `file://${paths.raw}`, image_checksum: sha256 })

    const stored = readdirSync(box.cache).map((key) => statSync(join(box.cache, key, 'image')).blocks * 512)
    assert.ok(Math.max(...stored) < 1024 * 1024, `${stored}`)
  })

  it('is made raw when it is qcow2, and its checksum is that of the raw disk', async () => {
    const qcow2 = readFileSync(paths.qcow2)

    const served = await resolve({
      image_source: `file://${paths.qcow2}`,
      image_disk_format: 'qcow2',
      image_os_hash_algo: 'sha512',
      image_os_hash_value: digest(qcow2, 'sha512'),
    })

    assert.deepEqual(served.checksum, { algorithm: 'sha512', value: digest(disk, 'sha512') })
    assert.equal(served.format, 'raw')
    assert.equal(served.size_bytes, size_bytes)
    assert.deepEqual(await get(served.url), disk)
  })

  it('gets a sha256 in place of an md5', async () => {
    const served = await resolve({ image_source: `file://${paths.raw}`, image_checksum: digest(disk, 'md5') })

    assert.deepEqual(served.checksum, { algorithm: 'sha256', value: sha256 })
  })

  it('is copied again when it has changed, and only then', async () => {
    const path = join(box.folder, 'changing.raw')
    writeFileSync(path, disk)
    await resolve({ image_source: `file://${path}` })
    const before = readdirSync(box.cache).length
    await resolve({ image_source: `file://${path}` })
    assert.equal(readdirSync(box.cache).length, before)

    appendFileSync(path, Buffer.alloc(512, 'new'))
    const served = await resolve({ image_source: `file://${path}` })

    assert.equal(served.size_bytes, size_bytes + 512)
  })

  it('stays as it was when somebody changes the file afterwards', async () => {
    const path = join(box.folder, 'later.raw')
    writeFileSync(path, disk)
    const served = await resolve({ image_source: `file://${path}` })

    writeFileSync(path, Buffer.alloc(size_bytes, 'other'))

    assert.deepEqual(await get(served.url), disk)
  })

  it('that changes while it is copied is refused', async () => {
    const path = join(box.folder, 'written.raw')
    writeFileSync(path, disk)
    const progress = ({ done = 0 }) => {
      if (done < size_bytes / 2) appendFileSync(path, 'more')
    }

    await assert.rejects(
      box.images.resolve(box.request({ image_source: `file://${path}` }, { progress })),
      unacceptable(
        `Image file://${path} changed while it was copied. Put new images in place under another name and rename them, then deploy again.`,
      ),
    )
  })

  it('with a wrong checksum is refused, and nothing of it stays', async () => {
    const before = readdirSync(box.cache)
    const wrong = 'f'.repeat(64)

    await assert.rejects(
      resolve({ image_source: `file://${paths.raw}`, image_checksum: wrong }),
      unacceptable(
        `The supplied image checksum is invalid or does not match: image file://${paths.raw} (${size_bytes} bytes) has another sha256 than ${wrong}. Correct image_checksum or image_os_hash_value, or the image.`,
      ),
    )

    assert.deepEqual(readdirSync(box.cache), before)
  })

  it('that is empty is refused', async () => {
    const path = join(box.folder, 'empty.raw')
    writeFileSync(path, '')

    await assert.rejects(
      resolve({ image_source: `file://${path}` }),
      unacceptable(`Image file://${path} is empty. Put the image there.`),
    )
  })

  it('that is a sparse bomb is refused before a byte is copied', async () => {
    const path = join(box.folder, 'bomb.raw')
    writeFileSync(path, '')
    truncateSync(path, 1024 ** 4)

    await assert.rejects(
      resolve({ image_source: `file://${path}` }),
      unacceptable(
        `Image file://${path} has ${1024 ** 4} bytes: the most that is accepted here is ${512 * 1024 ** 3} bytes.`,
      ),
    )
  })

  it('that refers to another file is refused, and that file is not read', async () => {
    const path = join(box.folder, 'thief.qcow2')
    execFileSync('qemu-img', ['create', '-q', '-u', '-f', 'qcow2', '-b', '/etc/shadow', '-F', 'raw', path, '4M'])

    await assert.rejects(
      resolve({ image_source: `file://${path}` }),
      unacceptable(
        `Image file://${path} is a qcow2 image that has a backing file: refused. Make one that stands alone: qemu-img convert -O qcow2.`,
      ),
    )
  })

  it('that is not what image_disk_format says is refused', async () => {
    await assert.rejects(
      resolve({ image_source: `file://${paths.qcow2}`, image_disk_format: 'raw' }),
      unacceptable(
        `Image file://${paths.qcow2} is of format qcow2 by its content, but image_disk_format says raw. Set instance_info/image_disk_format to qcow2, or correct image_source.`,
      ),
    )
  })

  it('that was cut is refused by name, though qemu-img would convert it without a word', async () => {
    const path = join(box.folder, 'cut-to-60-percent.qcow2')
    const whole = readFileSync(paths.qcow2)
    writeFileSync(path, whole.subarray(0, Math.floor(whole.length * 0.6)))
    execFileSync('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', path, join(box.folder, 'silently.raw')])
    const before = readdirSync(box.cache)

    await assert.rejects(
      resolve({ image_source: `file://${path}` }),
      unacceptable(
        `Image file://${path} is damaged: qemu-img check finds 6 errors in it, as in a copy that was cut short. Copy it again from where qemu-img check finds none, and state that file's checksum.`,
      ),
    )

    assert.deepEqual(readdirSync(box.cache), before)
  })

  it('with nothing worse than clusters that nobody refers to is taken', async () => {
    const path = join(box.folder, 'leaking.qcow2')
    copyFileSync(paths.qcow2, path)
    const whole = readFileSync(path)
    // The L2 table's last entry in use is dropped: its cluster stays counted.
    const l2_at = Number(whole.readBigUInt64BE(Number(whole.readBigUInt64BE(40))) & 0x00fffffffffffe00n)
    const entries = Array.from({ length: 64 }, (_, index) => l2_at + index * 8)
    whole.writeBigUInt64BE(0n, entries.findLast((at) => whole.readBigUInt64BE(at) !== 0n) ?? 0)
    writeFileSync(path, whole)

    const served = await resolve({ image_source: `file://${path}` })

    assert.equal(served.size_bytes, size_bytes)
  })

  it('with a table that leads nowhere is refused by name, too', async () => {
    const path = join(box.folder, 'table.qcow2')
    const whole = readFileSync(paths.qcow2)
    // The header is good, the table behind it is not.
    const l1_at = Number(whole.readBigUInt64BE(40))
    whole.fill(0xff, l1_at, l1_at + 8)
    writeFileSync(path, whole)

    await assert.rejects(
      resolve({ image_source: `file://${path}` }),
      unacceptable(/^Image file:\/\/.*table\.qcow2 is damaged: qemu-img check finds \d+ errors in it, /),
    )
  })

  it('that qemu-img cannot read to its end is refused in its words', async () => {
    const path = join(box.folder, 'noise.qcow2')
    execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', '-c', paths.raw, path])
    const whole = readFileSync(path)
    // All tables are good, what they lead to is not what a compressor wrote.
    whole.fill(0xff, whole.length - 100_000)
    writeFileSync(path, whole)

    await assert.rejects(
      resolve({ image_source: `file://${path}` }),
      unacceptable(/^Image file:\/\/.*noise\.qcow2 cannot be used: qemu-img failed: .*error while reading/),
    )
  })

  it('goes out of reach when the node is released, and stays in the cache', async () => {
    const served = await resolve({ image_source: `file://${paths.raw}` })
    const before = readdirSync(box.cache)

    await box.images.release(NODE)
    await box.images.release(NODE)

    assert.equal((await fetchPlain(served.url)).status, 404)
    assert.deepEqual(readdirSync(box.cache), before)
  })
})
