/** What becomes of a download when its server is not good, and what the operator reads then. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { file, type Handler, startUpstream } from '../image-upstream.ts'
import { digest, diskContent, fetchPlain, type ImagesInFolder, openImages } from '../images-in-folder.ts'

const disk = diskContent(1024 * 1024 + 4096)

/** What came at the same moment as the cut may be lost with it. */
const cutOff = (url: string, why: string) =>
  new RegExp(`^Image ${url} cannot be fetched: its server sent [045] bytes of the 5000 that it told: ${why}$`)

describe('a download', { concurrency: true }, () => {
  let box: ImagesInFolder
  before(async () => {
    box = await openImages({ ini: '[DEFAULT]\nwebserver_connection_timeout = 1' })
  })
  after(async () => {
    const left = readdirSync(box.cache).filter((name) => name.startsWith('.'))
    await box[Symbol.asyncDispose]()
    assert.deepEqual(left, [], 'nothing half-written stays')
  })

  /** Each for a node of its own: what a node may fetch is the last that it was resolved to. */
  const resolve = async (url: string, content = disk) => {
    const fields = { image_source: url, image_checksum: digest(content), image_download_source: 'local' }
    const served = await box.images.resolve(box.request(fields, { node_uuid: randomUUID() }))
    return Buffer.from(await (await fetchPlain(served.url)).arrayBuffer())
  }
  const refuses = async (handler: Handler, message: (url: string) => string | RegExp) => {
    await using upstream = await startUpstream({ '/disk': handler })
    await assert.rejects(resolve(`${upstream.url}/disk`, Buffer.from('never')), {
      name: /^(ImageUnacceptable|Unanswered)$/,
      message: message(`${upstream.url}/disk`),
    })
  }

  it('goes on where it was cut', async () => {
    const cuts = [300_000, 300_000, 700_000]
    await using upstream = await startUpstream({
      '/disk': (request, response) => {
        const offset = Number(/\d+/.exec(request.headers.range ?? '')?.[0] ?? 0)
        const cut = cuts.shift()
        if (cut === undefined) return file(disk)(request, response)
        const range = offset ? { 'content-range': `bytes ${offset}-${disk.length - 1}/${disk.length}` } : {}
        response.writeHead(offset ? 206 : 200, { etag: '"1"', 'content-length': disk.length - offset, ...range })
        response.write(disk.subarray(offset, Math.max(cut, offset)), () => response.destroy())
      },
    })

    const got = await resolve(`${upstream.url}/disk`)

    assert.deepEqual(got, disk)
    assert.deepEqual(upstream.asked.at(-1), 'GET /disk bytes=700000-')
    assert.equal(upstream.headers.at(-1)?.['if-range'], '"1"')
  })

  for (const [server, etag, accepts] of [
    ['tells no ETag', undefined, true],
    ['tells a weak ETag', 'W/"1"', true],
    ['tells an ETag and knows no ranges', '"1"', false],
  ] as const) {
    it(`is begun anew when it was cut and the server ${server}`, async () => {
      const disk = diskContent(1024 * 1024 + 4096)
      const cuts = [300_000, 700_000]
      const headers = { ...(etag ? { etag } : {}), 'content-length': disk.length }
      await using upstream = await startUpstream({
        '/disk': (request, response) => {
          if (request.headers.range && accepts) return void response.writeHead(416).end()
          response.writeHead(200, headers)
          const cut = request.headers.range ? undefined : cuts.shift()
          if (cut === undefined) return void response.end(disk)
          response.write(disk.subarray(0, cut), () => response.destroy())
        },
      })

      const got = await resolve(`${upstream.url}/disk`, disk)

      assert.equal(digest(got), digest(disk))
      assert.deepEqual(
        upstream.asked.filter((asked) => asked === 'GET /disk'),
        Array(3).fill('GET /disk'),
      )
    })
  }

  it('fails when the server is cut for ever', async () => {
    await refuses(
      (request, response) => {
        if (request.headers.range) return void response.destroy()
        response.writeHead(200, { etag: '"1"', 'content-length': 5000 })
        response.write('half', () => response.destroy())
      },
      (url) => cutOff(url, 'other side closed. Check the server.'),
    )
  })

  it('fails when the image changed while it was cut', async () => {
    await refuses(
      (request, response) => {
        if (request.headers['if-range'] === '"1"')
          return file('another image', '"2"')({ ...request, headers: {} } as typeof request, response)
        response.writeHead(200, { etag: '"1"', 'content-length': 5000 })
        response.write('half', () => response.destroy())
      },
      (url) => cutOff(url, 'other side closed. Check the server.'),
    )
  })

  it('fails when the server lies about its length', async () => {
    await refuses(
      (_request, response) => {
        response.writeHead(200, { 'content-length': 5000 })
        response.write('short', () => response.destroy())
      },
      (url) =>
        cutOff(
          url,
          'other side closed. It has no ETag to go on by, and each of 3 downloads was cut. Check the server.',
        ),
    )
  })

  it('fails before a byte comes when the length is more than is accepted, or than there is room for', async () => {
    await refuses(
      (_request, response) => {
        response.writeHead(200, { 'content-length': 1024 ** 5 })
        response.write('x')
      },
      (url) => `Image ${url} has ${1024 ** 5} bytes: the most that is accepted here is ${512 * 1024 ** 3} bytes.`,
    )
  })

  it('fails when the server is silent, before its answer or in the middle', async () => {
    await refuses(
      () => {},
      (url) =>
        `Image ${url} cannot be fetched: its server was silent for 1 s ([DEFAULT] webserver_connection_timeout). Check the server, and image_source.`,
    )
    await refuses(
      (_request, response) => {
        response.writeHead(200, { 'content-length': 5000 })
        response.write('half')
      },
      (url) =>
        `Image ${url} cannot be fetched: its server sent 4 bytes of the 5000 that it told: its server was silent for 1 s ([DEFAULT] webserver_connection_timeout). It has no ETag to go on by, and each of 3 downloads was cut. Check the server.`,
    )
  })

  it('fails when redirects go in circles, or elsewhere', async () => {
    await refuses(
      (_request, response) => void response.writeHead(302, { location: '/disk' }).end(),
      (url) =>
        `Image ${url} cannot be fetched: its server redirected 11 times, last to ${url}. Correct image_source, or the server.`,
    )
    await refuses(
      (_request, response) => void response.writeHead(302, { location: 'file:///etc/shadow' }).end(),
      (url) =>
        `Image ${url} cannot be fetched: its server redirects to something that is not an http(s) address. Correct image_source, or the server.`,
    )
  })

  it('fails when there is no file, or an empty one', async () => {
    await refuses(
      (_request, response) => void response.writeHead(403).end(),
      (url) =>
        `Image ${url} cannot be fetched: Got HTTP code 403 instead of 200 in response to GET request. Correct image_source, or the server.`,
    )
    await refuses(
      (_request, response) => void response.end(),
      (url) => `Image ${url} cannot be fetched: it is empty. Correct image_source, or put the image there.`,
    )
    await refuses(
      (_request, response) => {
        response.writeHead(200, { 'transfer-encoding': 'chunked' }).end()
      },
      (url) => new RegExp(`^Image ${url} (is empty|cannot be fetched: it is empty)`),
    )
  })

  it('fails when it comes compressed unasked', async () => {
    await refuses(
      (_request, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'),
      (url) => `Image ${url} cannot be fetched: its server sent it as gzip, which was not asked for. Check the server.`,
    )
  })

  it('is tried again when the server is busy, and fails when it stays so', async () => {
    let calls = 0
    await using upstream = await startUpstream({
      '/disk': (request, response) => {
        if (++calls === 1) response.writeHead(503).end()
        else file(disk)(request, response)
      },
    })

    assert.deepEqual(await resolve(`${upstream.url}/disk`, disk), disk)
    await refuses(
      (_request, response) => void response.writeHead(500).end(),
      (url) =>
        `Image ${url} cannot be fetched: Got HTTP code 500 instead of 200 in response to GET request. Check the server, and image_source.`,
    )
  })

  it('fails when nobody is there', async () => {
    await assert.rejects(resolve('http://127.0.0.1:9/disk', Buffer.from('x')), {
      message:
        'Image http://127.0.0.1:9/disk cannot be fetched: connect ECONNREFUSED 127.0.0.1:9. Check the server, and image_source.',
    })
  })
})
