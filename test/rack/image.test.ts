import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { ImageError, prepareImage } from './image.ts'

const raw = Buffer.alloc(4096)
raw.writeUInt16LE(0xaa55, 510)
const qcow2 = Buffer.alloc(4096)
qcow2.writeUInt32BE(0x514649fb, 0)
qcow2.writeBigUInt64BE(10_737_418_240n, 24)

const sha256 = (content: Buffer) => createHash('sha256').update(content).digest('hex')
const signal = () => AbortSignal.timeout(10_000)
const nothing = () => {}

describe('image of npm run rack', () => {
  const folder = mkdtempSync(join(tmpdir(), 'image-'))
  const kept = process.env.RACKSTRAP_CACHE
  before(() => {
    process.env.RACKSTRAP_CACHE = join(folder, 'cache')
  })
  after(() => {
    if (kept === undefined) delete process.env.RACKSTRAP_CACHE
    else process.env.RACKSTRAP_CACHE = kept
    rmSync(folder, { recursive: true })
  })
  const file = (content: Buffer | string) => {
    const path = join(folder, 'given')
    writeFileSync(path, content)
    return path
  }

  it('is raw or qcow2 by its content, whatever its name', async () => {
    const path = file(raw)
    const { format, virtual_bytes } = await prepareImage(file(qcow2), signal(), nothing)
    assert.deepEqual({ format, virtual_bytes }, { format: 'qcow2', virtual_bytes: 10_737_418_240 })

    assert.deepEqual(await prepareImage(file(raw), signal(), nothing), {
      path,
      format: 'raw',
      virtual_bytes: 4096,
      sha256: sha256(raw),
      isOwn: false,
    })
  })

  for (const [content, why] of [
    [Buffer.concat([Buffer.from('fd377a585a00', 'hex'), raw]), /is an xz archive: unpack or convert it/],
    [Buffer.from('<html>not found</html>'), /is neither qcow2 nor a raw disk: it has no boot sector/],
    [Buffer.alloc(0), /is neither qcow2 nor a raw disk: it has no boot sector/],
  ] as const) {
    it(`is refused when it ${why.source}`, async () => {
      await assert.rejects(prepareImage(file(content), signal(), nothing), { constructor: ImageError, message: why })
    })
  }

  it('is refused when there is no such file', async () => {
    await assert.rejects(prepareImage(join(folder, 'nowhere'), signal(), nothing), {
      constructor: ImageError,
      message: /--image .*nowhere cannot be read: ENOENT/,
    })
  })

  describe('behind a URL', () => {
    let server: Server
    let asked: string[] = []
    afterEach(() => server.close())
    const serve = async (listener: RequestListener) => {
      asked = []
      server = createServer((request, response) => {
        asked.push(request.headers['if-none-match'] ?? 'all')
        listener(request, response)
      }).listen(0, '127.0.0.1')
      await once(server, 'listening')
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}/image`
    }

    it('is fetched with progress, and not again while its ETag stays', async () => {
      const url = await serve((request, response) => {
        if (request.headers['if-none-match'] === '"1"') return void response.writeHead(304).end()
        response.writeHead(200, { etag: '"1"', 'content-length': raw.length }).end(raw)
      })
      const progress: (number | undefined)[] = []

      const first = await prepareImage(url, signal(), (done, total) => progress.push(done, total))
      const second = await prepareImage(url, signal(), nothing)

      assert.equal(first.sha256, sha256(raw))
      assert.deepEqual(second, first)
      assert.deepEqual(asked, ['all', '"1"'])
      assert.deepEqual(progress.slice(-2), [4096, 4096])
    })

    it('is refused when it is not there, and nothing is kept of it', async () => {
      const url = await serve((_request, response) => response.writeHead(404).end())

      for (const _ of [1, 2]) {
        await assert.rejects(prepareImage(url, signal(), nothing), {
          constructor: ImageError,
          message: `--image ${url} cannot be fetched: it answered 404 Not Found`,
        })
      }
      assert.deepEqual(asked, ['all', 'all'])
    })

    it('is refused when it ends before its end', async () => {
      const url = await serve((_request, response) => {
        response.writeHead(200, { 'content-length': raw.length })
        response.write(raw.subarray(0, 100), () => response.destroy())
      })

      await assert.rejects(prepareImage(url, signal(), nothing), {
        constructor: ImageError,
        message: /cannot be fetched/,
      })
    })
  })
})
