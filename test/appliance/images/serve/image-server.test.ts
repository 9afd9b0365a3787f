/** What a machine gets when it fetches its image. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { get, type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { digest, diskContent, type ImagesInFolder, NODE, OTHER_NODE, openImages } from '../images-in-folder.ts'

type Got = { status: number | undefined; headers: IncomingMessage['headers']; body: Buffer }

async function ask(url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Got> {
  const asked = request(url, { method, headers }).end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk)
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }
}

describe('the image of a node', () => {
  let box: ImagesInFolder
  let url: string
  const disk = diskContent()
  const etag = `"sha256-${digest(disk)}"`

  before(async () => {
    box = await openImages()
    writeFileSync(join(box.folder, 'disk.raw'), disk)
    url = (await box.images.resolve(box.request({ image_source: `file://${box.folder}/disk.raw` }))).url
  })
  after(() => box[Symbol.asyncDispose]())

  it('comes whole to who asks plainly', async () => {
    const { status, headers, body } = await ask(url)

    assert.equal(status, 200)
    assert.deepEqual(body, disk)
    const { etag: tag, vary, 'content-length': length, 'content-type': type, 'accept-ranges': ranges } = headers
    assert.deepEqual(
      [tag, vary, length, type, ranges, headers['content-encoding']],
      [etag, 'accept-encoding', String(disk.length), 'application/octet-stream', 'bytes', undefined],
    )
  })

  it('is told of in the log when it went out whole', async () => {
    box.lines.length = 0

    await ask(url)

    const line = box.lines.find(({ message }) => message === 'image served')
    assert.deepEqual([line?.node, line?.bytes, line?.encoding], [NODE, disk.length, 'identity'])
    assert.equal(typeof line?.duration_s, 'number')
  })

  it('comes as zstd to who asks for it, under a tag of its own', async () => {
    const { headers, body } = await ask(url, { 'accept-encoding': 'zstd' })

    assert.equal(headers['content-encoding'], 'zstd')
    assert.equal(headers.etag, `"sha512-${digest(body, 'sha512')}-zstd"`)
    assert.equal(Number(headers['content-length']), body.length)
    assert.deepEqual(zstdDecompressSync(body), disk)
  })

  it('comes in part, plain or of its compressed form', async () => {
    const packed = (await ask(url, { 'accept-encoding': 'zstd' })).body

    const plain = await ask(url, { range: 'bytes=1048576-1048675', 'if-range': etag })
    const zstd = await ask(url, { range: 'bytes=100-', 'accept-encoding': 'zstd' })

    assert.deepEqual([plain.status, plain.headers['content-range']], [206, `bytes 1048576-1048675/${disk.length}`])
    assert.deepEqual(plain.body, disk.subarray(1048576, 1048676))
    assert.equal(zstd.headers['content-range'], `bytes 100-${packed.length - 1}/${packed.length}`)
    assert.deepEqual(zstd.body, packed.subarray(100))
  })

  it('comes whole when the part asked for is of another content', async () => {
    const { status, body } = await ask(url, { range: 'bytes=5-', 'if-range': '"sha256-other"' })

    assert.deepEqual([status, body.length], [200, disk.length])
  })

  it('has no part beyond its end', async () => {
    const { status, headers, body } = await ask(url, { range: `bytes=${disk.length}-` })

    assert.deepEqual([status, headers['content-range'], body.length], [416, `bytes */${disk.length}`, 0])
  })

  it('does not come again to who has it', async () => {
    const { status, headers, body } = await ask(url, { 'if-none-match': etag })

    assert.deepEqual([status, headers.etag, body.length], [304, etag, 0])
  })

  it('is described to who asks by HEAD', async () => {
    const plain = await ask(url, {}, 'HEAD')
    const zstd = await ask(url, { 'accept-encoding': 'zstd' }, 'HEAD')

    assert.deepEqual([plain.status, plain.headers['content-length'], plain.body.length], [200, String(disk.length), 0])
    assert.equal(zstd.headers['content-encoding'], 'zstd')
  })

  it('gets a gzip form once somebody has asked for gzip and not for zstd', async () => {
    const first = await ask(url, { 'accept-encoding': 'gzip, deflate' })
    let later = first
    for (
      const deadline = Date.now() + 10_000;
      later.headers['content-encoding'] !== 'gzip' && Date.now() < deadline;
    ) {
      later = await ask(url, { 'accept-encoding': 'gzip, deflate' })
    }

    assert.equal(first.headers['content-encoding'], undefined)
    assert.deepEqual(first.body, disk)
    assert.deepEqual(gunzipSync(later.body), disk)
    const { variants } = await box.images.resolve(box.request({ image_source: `file://${box.folder}/disk.raw` }))
    assert.deepEqual(
      variants.map(({ encoding }) => encoding),
      ['zstd', 'gzip'],
    )
    assert.equal(variants[1]?.checksum.value, digest(later.body, 'sha512'))
  })

  it('stops being read when the machine goes away, and is told of in the log', async () => {
    const open = () => readdirSync('/proc/self/fd').length
    const before = open()
    box.lines.length = 0
    const leaving = get(url)
    const [response] = (await once(leaving, 'response')) as [IncomingMessage]
    await once(response, 'readable')

    response.destroy()

    const isCut = () => box.lines.some(({ message }) => message === 'image transfer cut')
    for (const deadline = Date.now() + 10_000; !(isCut() && open() <= before) && Date.now() < deadline; )
      await ask(`${box.url}/none`)
    assert.ok(isCut())
    assert.ok(open() <= before)
  })

  it('is served under no other name', async () => {
    symlinkSync('/etc/passwd', join(box.links, OTHER_NODE))
    for (const path of [OTHER_NODE, '', 'none', `${NODE}/x`, '../master_images', `%2e%2e/${NODE}`, NODE.slice(1)]) {
      assert.equal((await ask(`${box.url}/agent_images/${path}`)).status, 404, path)
    }
    assert.equal((await ask(`${box.url}/${NODE}`)).status, 404)
  })

  it('is served after a restart of the appliance, too', async () => {
    await box.restart()

    assert.deepEqual((await ask(url)).body, disk)
  })

  it('that is gone from the disk is told as such', async () => {
    for (const key of readdirSync(box.cache)) rmSync(join(box.cache, key), { recursive: true })

    const { status, body } = await ask(url)

    assert.deepEqual([status, body.toString()], [404, `the image of node ${NODE} is not in the cache any more\n`])
  })
})
