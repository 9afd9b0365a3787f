/** What the image cache keeps, and what it survives. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { startUpstream } from '../image-upstream.ts'
import {
  digest,
  diskContent,
  fetchPlain,
  type ImagesInFolder,
  NODE,
  OTHER_NODE,
  openImages,
  temporaryFolder,
  writeQcow2,
} from '../images-in-folder.ts'

const MIB = 1024 * 1024

/** A few distinct images of 2 MiB that do not compress well. */
function writeImages(box: ImagesInFolder, count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const path = join(box.folder, `disk-${index}.raw`)
    const disk = diskContent(2 * MIB)
    disk.fill(`${index} `, MIB)
    writeFileSync(path, disk)
    return `file://${path}`
  })
}
const keep = (box: ImagesInFolder, image_source: string, node_uuid = NODE) =>
  box.images.resolve(box.request({ image_source }, { node_uuid }))
const keys = (box: ImagesInFolder) => readdirSync(box.cache).sort()
/** As if nobody had used it for that long. */
function age(box: ImagesInFolder, key: string | undefined, minutes: number): void {
  const then = new Date(Date.now() - minutes * 60_000)
  utimesSync(join(box.cache, key ?? ''), then, then)
}
const addedTo = (before: readonly string[], box: ImagesInFolder) => keys(box).find((key) => !before.includes(key))

describe('the image cache', () => {
  it('evicts the least used images beyond [pxe] image_cache_size', async () => {
    await using box = await openImages({ ini: '[pxe]\nimage_cache_size = 4' })
    const [a = '', b = '', c = ''] = writeImages(box, 3)
    await keep(box, a)
    const [keyA] = keys(box)
    await keep(box, b)
    const keyB = addedTo([keyA ?? ''], box)
    await box.images.release(NODE)
    age(box, keyA, 5)
    age(box, keyB, 9)

    await keep(box, c)

    assert.ok(keys(box).includes(keyA ?? ''))
    assert.ok(!keys(box).includes(keyB ?? ''))
  })

  it('never evicts what a node is linked to', async () => {
    await using box = await openImages({ ini: '[pxe]\nimage_cache_size = 0\nimage_cache_ttl = 0' })
    const [a = '', b = ''] = writeImages(box, 2)
    const first = await keep(box, a)
    await keep(box, b, OTHER_NODE)
    assert.equal(keys(box).length, 2)

    await box.images.release(OTHER_NODE)

    assert.equal(keys(box).length, 1)
    assert.equal((await fetchPlain(first.url)).status, 200)
  })

  it('evicts what nobody has used for [pxe] image_cache_ttl', async () => {
    await using box = await openImages({ ini: '[pxe]\nimage_cache_ttl = 60' })
    const [a = '', b = ''] = writeImages(box, 2)
    await keep(box, a)
    const [old] = keys(box)
    await keep(box, b)
    age(box, old, 61)

    await box.images.release(OTHER_NODE)

    assert.ok(!keys(box).includes(old ?? ''))
    assert.equal(keys(box).length, 1)
  })

  it('makes an image anew when its files are not what they were', async () => {
    await using box = await openImages()
    const [a = ''] = writeImages(box, 1)
    await keep(box, a)
    truncateSync(join(box.cache, keys(box)[0] ?? '', 'image'), 1000)

    const served = await keep(box, a)

    assert.equal((await (await fetchPlain(served.url)).arrayBuffer()).byteLength, 2 * MIB)
  })

  it('that cannot be used is told of at once, and to every node that needs it', async () => {
    const state_path = temporaryFolder()
    writeFileSync(join(state_path, 'file'), '')
    await using box = await openImages({ state_path, ini: `[pxe]\ninstance_master_path = ${state_path}/file/cache` })
    const [a = ''] = writeImages(box, 1)
    const message = `The image cache cannot be used: ENOTDIR: not a directory, mkdir '${state_path}/file/cache'. Correct [pxe] instance_master_path and [deploy] http_root, or who owns them, and start the appliance again.`

    await assert.rejects(keep(box, a), { name: 'InsufficientStorage', message })

    assert.ok(box.lines.some((line) => line.level === 'error' && line.message === 'image cache cannot be used'))
  })

  it('holds nothing half after kill -9 in the middle of a download', async (t) => {
    const state_path = temporaryFolder()
    const begun = Promise.withResolvers<void>()
    await using upstream = await startUpstream({
      '/disk': (_request, response) => {
        response.writeHead(200, { 'content-length': 9 * MIB })
        response.write(diskContent(), () => begun.resolve())
      },
    })
    const script = join(import.meta.dirname, '../killed-process.ts')
    const child = spawn(process.execPath, [script, state_path, `${upstream.url}/disk`], { stdio: 'inherit' })
    t.after(() => child.kill('SIGKILL'))
    await begun.promise
    child.kill('SIGKILL')
    await once(child, 'exit')
    const left = readdirSync(join(state_path, 'master_images'))

    await using box = await openImages({ state_path })
    await box.images.release(NODE)

    assert.equal(left.length, 1)
    assert.deepEqual(keys(box), [])
    assert.ok(box.lines.some(({ message, count }) => message === 'unfinished images removed' && count === 1))
  })
})

describe('a full disk', () => {
  const root = process.getuid?.() === 0
  /** A file system of 8 MiB, of the test's own. */
  const smallDisk = (t: { after(end: () => void): void }) => {
    const path = temporaryFolder()
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', path])
    t.after(() => {
      execFileSync('umount', ['-l', path])
      rmSync(path, { recursive: true })
    })
    mkdirSync(join(path, 'master_images'))
    return path
  }
  const options = { skip: root ? false : 'needs root, to mount a small file system' }
  const noRoom = (message: RegExp) => ({ name: 'InsufficientStorage', message })

  it('is told before bytes come, when the image says its size', options, async (t) => {
    const small = smallDisk(t)
    await using box = await openImages({ ini: `[pxe]\ninstance_master_path = ${small}/master_images` })
    await using upstream = await startUpstream({
      '/disk': (_request, response) => {
        response.writeHead(200, { 'content-length': 100 * MIB })
        response.write('x')
      },
    })

    await assert.rejects(
      box.images.resolve(
        box.request({
          image_source: `${upstream.url}/disk`,
          image_checksum: 'a'.repeat(64),
          image_download_source: 'local',
        }),
      ),
      noRoom(
        /^Image http:.*\/disk needs 104857600 bytes in the image cache .*\/master_images, whose disk has \d+ bytes left\. Free some, or move \[pxe\] instance_master_path to a larger disk\.$/,
      ),
    )
    assert.deepEqual(keys(box), [])
  })

  it('is told when it fills on the way, and nothing half-written stays', options, async (t) => {
    const small = smallDisk(t)
    await using box = await openImages({ ini: `[pxe]\ninstance_master_path = ${small}/master_images` })
    const content = Buffer.alloc(20 * MIB, 'x')
    await using upstream = await startUpstream({
      '/disk': (_request, response) => {
        response.write(content)
        response.end()
      },
    })

    await assert.rejects(
      box.images.resolve(
        box.request({
          image_source: `${upstream.url}/disk`,
          image_checksum: digest(content),
          image_download_source: 'local',
        }),
      ),
      noRoom(/^There is no space left in the image cache .*\/master_images \(\[pxe\] instance_master_path\)\./),
    )
    assert.deepEqual(keys(box), [])
  })

  it('is told when a conversion fills it', options, async (t) => {
    const small = smallDisk(t)
    await using box = await openImages({ ini: `[pxe]\ninstance_master_path = ${small}/master_images` })
    const { qcow2 } = writeQcow2(box.folder, Buffer.alloc(32 * MIB, 'compresses well'), '-c')

    await assert.rejects(
      box.images.resolve(box.request({ image_source: `file://${qcow2}` })),
      noRoom(/qemu-img says that there is no space left in the image cache|as raw needs/),
    )
    assert.deepEqual(keys(box), [])
  })

  it('is helped by evicting what nobody uses', options, async (t) => {
    const small = smallDisk(t)
    await using box = await openImages({ ini: `[pxe]\ninstance_master_path = ${small}/master_images` })
    const paths = [1, 2].map((n) => join(box.folder, `${n}.raw`))
    for (const path of paths) writeFileSync(path, Buffer.alloc(5 * MIB, path))
    await keep(box, `file://${paths[0]}`)
    await box.images.release(NODE)

    const served = await keep(box, `file://${paths[1]}`)

    assert.equal((await fetchPlain(served.url)).status, 200)
    assert.equal(keys(box).length, 1)
    assert.ok(existsSync(join(box.links, NODE)))
  })
})
