/** Images of an http server: cached or handed on; and those that plugins make. Real images, a real upstream. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { layOut, makeBootable } from './format/bootable-file.ts'
import { file, startUpstream } from './image-upstream.ts'
import { digest, diskContent, fetchPlain, NODE, OTHER_NODE, openImages, writeQcow2 } from './images-in-folder.ts'

const get = async (url: string) => Buffer.from(await (await fetchPlain(url)).arrayBuffer())
const size_bytes = 4 * 1024 * 1024
const unacceptable = (message: string | RegExp) => ({ name: 'ImageUnacceptable', message })

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
  it('tells that the server fell silent while its image was looked at', async () => {
    await using box = await openImages({ ini: '[DEFAULT]\nwebserver_connection_timeout = 1' })
    await using upstream = await startUpstream({
      '/disk.raw': ({ method }, response) => {
        response.writeHead(200, { 'content-length': 5000 })
        if (method === 'HEAD') response.end()
        else response.write('half')
      },
    })
    const image_source = `${upstream.url}/disk.raw`

    await assert.rejects(
      box.images.resolve(box.request({ image_source, image_checksum: digest(Buffer.from('never')) })),
      unacceptable(
        `Image ${image_source} cannot be read: its server was silent for 1 s ([DEFAULT] webserver_connection_timeout). Check the server.`,
      ),
    )
  })

  const disk = diskContent()

  it('is what swift is, too: in the file and for one node', async () => {
    await using upstream = await startUpstream({ '/disk.raw': file(disk) })
    const instance_info = { image_source: `${upstream.url}/disk.raw`, image_checksum: digest(disk) }
    await using byFile = await openImages({ ini: '[agent]\nimage_download_source = swift' })
    await using byNode = await openImages({ ini: '[agent]\nimage_download_source = local' })

    const settled = await byFile.images.resolve(byFile.request(instance_info))
    const asked = await byNode.images.resolve(byNode.request({ ...instance_info, image_download_source: 'swift' }))

    assert.equal(settled.url, `${upstream.url}/disk.raw`)
    assert.equal(asked.url, settled.url)
  })

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
      `Image ${upstream.url}/page is a web page by its content, not an image: its server sends a page for people (a download page, a sign-in, an error). Set image_source to the address of the file itself.`,
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

  it('is refused when it is to be bootable and is not, whatever its maker says', async () => {
    await using box = await openImages()
    const bootable = { bootable: true }

    await assert.rejects(
      box.images.make('recipe 4', box.request({}), async (path) => layOut(path, []), bootable),
      unacceptable(/^The disk made here \(recipe 4\) would not start: it has no partition table\.$/),
    )
    const left = readdirSync(box.cache)
    const made = await box.images.make('recipe 4', box.request({}), makeBootable, bootable)

    assert.deepEqual(left, [])
    assert.equal(made.format, 'raw')
  })
})
