/** What image_source becomes: the file that an agent is told to fetch. Real images, real qemu-img, a real upstream. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { zstdDecompressSync } from 'node:zlib'
import { file, startUpstream } from './image-upstream.ts'
import {
  digest,
  diskContent,
  fetchPlain,
  type ImagesInFolder,
  NODE,
  OTHER_NODE,
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
      checksum: { algorithm: 'sha256', value: digest(packed) },
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
        `The supplied image checksum is invalid or does not match: image file://${paths.raw} has sha256 ${sha256} (${size_bytes} bytes), expected ${wrong}. Correct image_checksum or image_os_hash_value, or the image.`,
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

  it('that qemu-img cannot read to its end is refused in its words', async () => {
    const path = join(box.folder, 'cut.qcow2')
    const whole = readFileSync(paths.qcow2)
    // The header is good, the table behind it is not.
    const l1_at = Number(whole.readBigUInt64BE(40))
    whole.fill(0xff, l1_at, l1_at + 8)
    writeFileSync(path, whole)

    await assert.rejects(resolve({ image_source: `file://${path}` }), (error: Error) => {
      assert.match(
        error.message,
        /^Image file:\/\/.*cut\.qcow2 cannot be used: qemu-img failed: qcow2: Image is corrupt: /,
      )
      return error.name === 'ImageUnacceptable'
    })
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

describe('image_download_source = local', () => {
  const disk = diskContent()
  const info = (url: string) => ({
    image_source: `${url}/disk.raw`,
    image_checksum: digest(disk),
    image_download_source: 'local',
  })

  it('downloads an http image once, however many nodes ask', async () => {
    await using box = await openImages()
    await using upstream = await startUpstream({ '/disk.raw': file(disk) })
    const nodes = [NODE, OTHER_NODE, ...[3, 4, 5].map((n) => NODE.replace(/.$/, String(n)))]

    const served = await Promise.all(
      nodes.map((node_uuid) => box.images.resolve(box.request(info(upstream.url), { node_uuid }))),
    )

    assert.deepEqual(upstream.asked, ['GET /disk.raw'])
    assert.deepEqual(
      served.map(({ url }) => url),
      nodes.map((node) => `${box.url}/agent_images/${node}`),
    )
    for (const { url } of served) assert.deepEqual(await get(url), disk)
  })

  it('asks no upstream for content that the cache has, by its checksum', async () => {
    await using box = await openImages()
    await using upstream = await startUpstream({ '/disk.raw': file(disk) })
    await box.images.resolve(box.request(info(upstream.url)))

    await box.images.resolve(box.request(info('http://127.0.0.1:1')))

    assert.deepEqual(upstream.asked, ['GET /disk.raw'])
  })

  it('goes on for the others when one of those who wait gives up', async () => {
    await using box = await openImages()
    const begun = Promise.withResolvers<() => void>()
    await using upstream = await startUpstream({
      '/disk.raw': (_request, response) => {
        response.writeHead(200, { 'content-length': disk.length })
        response.write(disk.subarray(0, 1000))
        begun.resolve(() => response.end(disk.subarray(1000)))
      },
    })
    const leaving = new AbortController()
    const first = box.images.resolve(box.request(info(upstream.url), { signal: leaving.signal }))
    const second = box.images.resolve(box.request(info(upstream.url), { node_uuid: OTHER_NODE }))
    const finish = await begun.promise

    leaving.abort(new Error('deploy aborted'))
    await assert.rejects(first, /deploy aborted/)
    finish()

    assert.deepEqual(await get((await second).url), disk)
    assert.deepEqual(readdirSync(box.links), [OTHER_NODE])
  })

  it('stops when all have given up, leaves nothing, and begins anew for the next one', async () => {
    await using box = await openImages()
    const begun = Promise.withResolvers<void>()
    let tries = 0
    await using upstream = await startUpstream({
      '/disk.raw': (request, response) => {
        if (++tries > 1) return file(disk)(request, response)
        response.writeHead(200, { 'content-length': disk.length })
        response.write(disk.subarray(0, 1000))
        begun.resolve()
      },
    })
    const leaving = new AbortController()
    const first = box.images.resolve(box.request(info(upstream.url), { signal: leaving.signal }))
    await begun.promise

    leaving.abort(new Error('deploy aborted'))
    await assert.rejects(first, /deploy aborted/)
    const served = await box.images.resolve(box.request(info(upstream.url)))

    assert.deepEqual(await get(served.url), disk)
    assert.deepEqual(
      readdirSync(box.cache).filter((name) => name.startsWith('.')),
      [],
    )
  })

  it('tells of its progress', async () => {
    await using box = await openImages()
    await using upstream = await startUpstream({ '/disk.raw': file(disk) })
    const notes = new Map<string, number | undefined>()
    const progress = ({ note, done }: { note: string; done?: number }) => void notes.set(note, done)

    await box.images.resolve(box.request(info(upstream.url), { progress }))

    assert.deepEqual(
      [...notes],
      [
        ['downloading the image', disk.length],
        ['compressing the image', disk.length],
      ],
    )
  })

  it('takes the checksum from a file of checksums, asked at each deploy', async () => {
    await using box = await openImages()
    await using upstream = await startUpstream({
      '/disk.raw': file(disk),
      '/SUMS': file(`${'0'.repeat(64)}  other.raw\n${digest(disk)} *disk.raw\n`),
    })
    const fields = { ...info(upstream.url), image_checksum: `${upstream.url}/SUMS` }

    await box.images.resolve(box.request(fields))
    const served = await box.images.resolve(box.request(fields))

    assert.deepEqual(served.checksum, { algorithm: 'sha256', value: digest(disk) })
    assert.deepEqual(upstream.asked, ['GET /SUMS', 'GET /disk.raw', 'GET /SUMS'])
  })

  it('shows who asks to no other server, also when it goes on after a cut', async () => {
    await using box = await openImages()
    await using other = await startUpstream({
      '/disk.raw': (request, response) => {
        if (request.headers.range) return file(disk)(request, response)
        response.writeHead(200, { etag: '"1"', 'content-length': disk.length })
        response.write(disk.subarray(0, 1000), () => response.destroy())
      },
    })
    await using upstream = await startUpstream({
      '/disk.raw': (_request, response) => void response.writeHead(302, { location: `${other.url}/disk.raw` }).end(),
    })
    const secret = { image_request_authorization_secret: 'Bearer hidden-word' }

    await box.images.resolve(box.request({ ...info(upstream.url), ...secret }))

    assert.equal(upstream.headers[0]?.authorization, 'Bearer hidden-word')
    assert.equal(other.headers.length, 2)
    for (const { authorization } of other.headers) assert.equal(authorization, undefined)
  })

  it('shows the server who asks, and tells nobody else', async () => {
    await using box = await openImages()
    await using other = await startUpstream({ '/disk.raw': file(disk) })
    await using upstream = await startUpstream({
      '/disk.raw': (_request, response) => void response.writeHead(302, { location: `${other.url}/disk.raw` }).end(),
    })
    const address = new URL(`${upstream.url}/disk.raw?signature=hidden-word`)
    address.username = 'user'
    address.password = 'hidden-word'

    await box.images.resolve(box.request({ ...info(''), image_source: address.href }))

    assert.equal(upstream.headers[0]?.authorization, `Basic ${Buffer.from('user:hidden-word').toString('base64')}`)
    assert.equal(other.headers[0]?.authorization, undefined)
    assert.doesNotMatch(JSON.stringify(box.lines), /hidden-word/)
    const [key = ''] = readdirSync(box.cache)
    assert.doesNotMatch(readFileSync(join(box.cache, key, 'entry.json'), 'utf8'), /hidden-word/)
  })
})

describe('image_download_source = http', () => {
  const disk = diskContent()

  it('hands a raw image on: where redirects lead to, with size and checksum', async () => {
    await using box = await openImages()
    await using upstream = await startUpstream({
      '/latest': (_request, response) => void response.writeHead(302, { location: '/disk.raw' }).end(),
      '/disk.raw': file(disk),
    })

    const served = await box.images.resolve(
      box.request({ image_source: `${upstream.url}/latest`, image_checksum: digest(disk, 'md5') }),
    )

    assert.deepEqual(served, {
      url: `${upstream.url}/disk.raw`,
      format: 'raw',
      size_bytes,
      checksum: { algorithm: 'md5', value: digest(disk, 'md5') },
      stream: true,
      variants: [],
    })
    assert.deepEqual(upstream.asked, ['HEAD /latest', 'HEAD /disk.raw', 'GET /disk.raw bytes=0-65535'])
    assert.equal(existsSync(join(box.cache, 'anything')), false)
  })

  it('caches and converts a qcow2 image, as no agent writes one by stream', async () => {
    await using box = await openImages()
    const qcow2 = readFileSync(writeQcow2(box.folder, disk, '-c').qcow2)
    await using upstream = await startUpstream({ '/disk': file(qcow2) })

    const served = await box.images.resolve(
      box.request({ image_source: `${upstream.url}/disk`, image_checksum: digest(qcow2) }),
    )

    assert.equal(served.url, `${box.url}/agent_images/${NODE}`)
    assert.deepEqual(served.checksum, { algorithm: 'sha256', value: digest(disk) })
  })

  it('hands qcow2 on, too, when [DEFAULT] force_raw_images is False', async () => {
    await using box = await openImages({ ini: '[DEFAULT]\nforce_raw_images = False' })
    const qcow2 = readFileSync(writeQcow2(box.folder, disk, '-c').qcow2)
    await using upstream = await startUpstream({ '/disk': file(qcow2) })

    const served = await box.images.resolve(
      box.request({ image_source: `${upstream.url}/disk`, image_checksum: digest(qcow2) }),
    )

    assert.deepEqual([served.url, served.format, served.stream], [`${upstream.url}/disk`, 'qcow2', false])
  })

  it('does without HEAD, Range and a size, where the server has none', async () => {
    await using box = await openImages()
    await using upstream = await startUpstream({
      '/disk': ({ method }, response) => {
        if (method === 'HEAD') return void response.writeHead(405).end()
        response.write(disk)
        response.end()
      },
    })

    const served = await box.images.resolve(
      box.request({ image_source: `${upstream.url}/disk`, image_checksum: digest(disk) }),
    )

    assert.deepEqual([served.format, served.size_bytes], ['raw', undefined])
  })

  it('tells what the server answered instead of an image', async () => {
    await using box = await openImages()
    await using upstream = await startUpstream({
      '/page': file('<!DOCTYPE html><title>Sign in</title>'),
      '/empty': (_request, response) => void response.end(),
    })
    const image_checksum = digest(disk)
    const refuses = (path: string, message: string) =>
      assert.rejects(
        box.images.resolve(box.request({ image_source: upstream.url + path, image_checksum })),
        unacceptable(message),
      )

    await refuses(
      '/gone',
      `Validation of image href ${upstream.url}/gone failed, reason: Got HTTP code 404 instead of 200 in response to HEAD request. Correct image_source, or the server.`,
    )
    await refuses(
      '/page',
      `Image ${upstream.url}/page is of format html by its content, which is not permitted ([conductor] permitted_image_formats = raw,gpt,qcow2,iso). Convert it: qemu-img convert -O qcow2.`,
    )
    await refuses('/empty', `Image ${upstream.url}/empty is empty. Put the image there.`)
  })
})

describe('an image made by a plugin', () => {
  it('is made once for a key, kept, and served', async () => {
    await using box = await openImages()
    const disk = diskContent()
    let builds = 0
    const build = async (path: string) => {
      builds++
      writeFileSync(path, disk)
    }

    const [first, second] = await Promise.all([
      box.images.make('recipe 1', box.request({}), build),
      box.images.make('recipe 1', box.request({}, { node_uuid: OTHER_NODE }), build),
    ])
    await box.images.make('recipe 1', box.request({}), build)

    assert.equal(builds, 1)
    assert.equal(first.checksum?.value, digest(disk))
    assert.deepEqual(await get(second.url), disk)
  })

  it('leaves nothing when its making fails', async () => {
    await using box = await openImages()
    const fails = box.images.make('recipe 2', box.request({}), async (path) => {
      writeFileSync(path, 'half')
      throw new Error('no such container')
    })

    await assert.rejects(fails, /no such container/)
    await assert.rejects(
      box.images.make('recipe 3', box.request({}), async () => {}),
      unacceptable(/^The image made here \(recipe 3\) was not written to /),
    )
    assert.deepEqual(readdirSync(box.cache), [])
    rmSync(box.folder, { recursive: true })
  })
})
