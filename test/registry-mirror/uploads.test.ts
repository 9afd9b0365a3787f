/** Pushing blobs: whole, in chunks, broken off and taken up again, cancelled, mounted. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { type ClientRequest, request } from 'node:http'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type Answer, errorOf, pushBlob, sha256, sha512, someBytes, suiteRegistry, testRegistry } from './registry.ts'

const UPLOADS = '/v2/org/app/blobs/uploads/'
const bytes = someBytes(3_000_000)
const digest = sha256(bytes)

const locationOf = ({ headers }: Answer) => String(headers.location)

/** Resolves when the registry has begun to take the chunk. */
async function beginPatch(port: number, path: string): Promise<ClientRequest> {
  const headers = { 'content-length': bytes.length, expect: '100-continue' }
  const asked = request({ host: '127.0.0.1', port, method: 'PATCH', path, headers })
  asked.on('error', () => {})
  asked.flushHeaders()
  await once(asked, 'continue')
  return asked
}

const DEADLINE_MS = 5_000
async function until<T>(look: () => Promise<T>, isSo: (seen: T) => boolean): Promise<T> {
  const deadline = Date.now() + DEADLINE_MS
  let seen = await look()
  while (!isSo(seen) && Date.now() < deadline) seen = await look()
  return seen
}

describe('a push of a blob', () => {
  const registry = suiteRegistry()

  const start = async (query = '') => locationOf(await registry.ask('POST', UPLOADS + query))
  const patch = (location: string, from: number, to: number) =>
    registry.ask('PATCH', location, {
      headers: { 'content-range': `${from}-${to - 1}` },
      body: bytes.subarray(from, to),
    })
  const pulled = async (which = digest) => (await registry.ask('GET', `/v2/org/app/blobs/${which}`)).body
  const filesOfUploads = () => readdirSync(join(registry.folder, 'uploads'))

  it('is one request, if the client likes', async () => {
    const answer = await registry.ask('POST', `${UPLOADS}?digest=${digest}`, { body: bytes })

    assert.deepEqual(
      [answer.status, locationOf(answer), answer.headers['docker-content-digest']],
      [201, `/v2/org/app/blobs/${digest}`, digest],
    )
    assert.deepEqual(await pulled(), bytes)
  })

  it('starts by POST and ends by PUT with the digest', async () => {
    const started = await registry.ask('POST', UPLOADS)

    const ended = await registry.ask('PUT', `${locationOf(started)}?digest=${digest}`, { body: bytes })

    assert.equal(started.status, 202)
    assert.match(locationOf(started), /^\/v2\/org\/app\/blobs\/uploads\/[0-9a-f-]{36}$/)
    assert.equal(ended.status, 201)
    assert.deepEqual(await pulled(), bytes)
  })

  it('comes in chunks, the last one by PUT', async () => {
    const location = await start()

    const first = await patch(location, 0, 1_000_000)
    const second = await patch(locationOf(first), 1_000_000, 2_500_000)
    const ended = await registry.ask('PUT', `${locationOf(second)}?digest=${digest}`, {
      headers: { 'content-range': '2500000-2999999' },
      body: bytes.subarray(2_500_000),
    })

    assert.deepEqual([first.status, first.headers.range], [202, '0-999999'])
    assert.deepEqual([second.status, second.headers.range], [202, '0-2499999'])
    assert.equal(ended.status, 201)
    assert.deepEqual(await pulled(), bytes)
  })

  it('comes as a stream without a length', async () => {
    const location = await start()

    const streamed = await registry.ask('PATCH', location, {
      headers: { 'transfer-encoding': 'chunked' },
      body: bytes,
    })
    const ended = await registry.ask('PUT', `${locationOf(streamed)}?digest=${digest}`)

    assert.deepEqual([streamed.status, streamed.headers.range], [202, '0-2999999'])
    assert.equal(ended.status, 201)
  })

  it('refuses a chunk out of order and tells where to go on', async () => {
    const location = await start()
    await patch(location, 0, 1000)

    const refused = await patch(location, 5000, 6000)
    const state = await registry.ask('GET', location)

    assert.deepEqual(errorOf(refused), [
      416,
      'BLOB_UPLOAD_INVALID',
      'The chunk starts at byte 5000, but 1000 bytes are there. Go on where Range says.',
    ])
    assert.deepEqual([refused.headers.location, refused.headers.range], [location, '0-999'])
    assert.deepEqual([state.status, state.headers.location, state.headers.range], [204, location, '0-999'])
    await patch(location, 1000, 3_000_000)
    assert.equal((await registry.ask('PUT', `${location}?digest=${digest}`)).status, 201)
  })

  for (const [range, code, message] of [
    ['0-99', 'SIZE_INVALID', "Content-Length is 50, but Content-Range '0-99' means 100 bytes."],
    ['50-', 'BLOB_UPLOAD_INVALID', "Content-Range is '50-': expected FIRST-LAST, both in bytes."],
  ])
    it(`refuses 50 bytes with Content-Range ${range}`, async () => {
      const location = await start()

      const refused = await registry.ask('PATCH', location, {
        headers: { 'content-range': String(range) },
        body: bytes.subarray(0, 50),
      })

      assert.deepEqual(errorOf(refused), [400, code, message])
    })

  it('forgets a streamed chunk that is not as long as its Content-Range says', async () => {
    const location = await start()

    const refused = await registry.ask('PATCH', location, {
      headers: { 'transfer-encoding': 'chunked', 'content-range': '0-99' },
      body: bytes.subarray(0, 50),
    })
    await patch(location, 0, 3_000_000)

    assert.deepEqual(errorOf(refused), [400, 'SIZE_INVALID', 'The chunk has 50 bytes, its Content-Range says 100.'])
    assert.equal((await registry.ask('PUT', `${location}?digest=${digest}`)).status, 201)
  })

  it('goes on after a restart of the registry, where it was', async () => {
    const location = await start()
    await patch(location, 0, 1_234_567)

    await registry.restart()

    assert.equal((await registry.ask('GET', location)).headers.range, '0-1234566')
    await patch(location, 1_234_567, 3_000_000)
    assert.equal((await registry.ask('PUT', `${location}?digest=${digest}`)).status, 201)
    assert.deepEqual(await pulled(), bytes)
  })

  it('keeps what had come when the connection broke', async () => {
    const location = await start()
    const broken = await beginPatch(registry.port, location)
    broken.write(bytes.subarray(0, 2_000_000))
    const state = await until(
      () => registry.ask('GET', location),
      ({ headers }) => headers.range !== '0-0',
    )
    broken.destroy()

    const refused = await patch(location, 2_999_999, 3_000_000)
    const there = Number(String(refused.headers.range).slice(2)) + 1
    const added = await patch(location, there, 3_000_000)

    assert.ok(there >= Number(String(state.headers.range).slice(2)) + 1, `${there} bytes were kept`)
    assert.deepEqual([refused.status, added.status], [416, 202])
    assert.equal((await registry.ask('PUT', `${location}?digest=${digest}`)).status, 201)
  })

  it('belongs to who speaks last for it: a client need not wait for its own dead connection', async () => {
    const location = await start()
    const stuck = await beginPatch(registry.port, location)
    const cut = once(stuck, 'error')
    stuck.write(bytes.subarray(0, 1000))

    const { status } = await patch(location, 2_999_999, 3_000_000)

    assert.equal(status, 416)
    await cut
  })

  it('is refused, and forgotten, when the digest is another', async () => {
    const before = filesOfUploads()
    const other = sha256('other')
    const location = await start()

    const refused = await registry.ask('PUT', `${location}?digest=${other}`, { body: bytes })
    const whole = await registry.ask('POST', `${UPLOADS}?digest=${other}`, { body: bytes })

    const message = `What was uploaded has the digest ${digest}, not ${other}. Upload it again.`
    assert.deepEqual([refused, whole].map(errorOf), [
      [400, 'DIGEST_INVALID', message],
      [400, 'DIGEST_INVALID', message],
    ])
    assert.equal((await registry.ask('GET', location)).status, 404)
    assert.equal((await registry.ask('GET', `/v2/org/app/blobs/${other}`)).status, 404)
    assert.deepEqual(filesOfUploads(), before)
  })

  it('may turn to sha512 only at its end', async () => {
    const location = await start()
    const announced = await start('?digest-algorithm=sha512')

    const ended = await registry.ask('PUT', `${location}?digest=${sha512(bytes)}`, { body: bytes })
    const endedToo = await registry.ask('PUT', `${announced}?digest=${sha512(bytes)}`, { body: bytes })

    assert.deepEqual([ended.status, endedToo.status], [201, 201])
    assert.deepEqual(await pulled(sha512(bytes)), bytes)
  })

  it('cannot be by an algorithm that is not kept', async () => {
    assert.deepEqual(errorOf(await registry.ask('POST', `${UPLOADS}?digest-algorithm=md5`)), [
      400,
      'DIGEST_INVALID',
      'Digests by md5 are not kept here: expected sha256 or sha512.',
    ])
  })

  it('can be cancelled', async () => {
    const location = await start()
    await patch(location, 0, 1000)

    const { status } = await registry.ask('DELETE', location)

    assert.equal(status, 204)
    const gone = await registry.ask('PATCH', location, { body: 'more' })
    const id = location.split('/').at(-1)
    assert.deepEqual(errorOf(gone), [
      404,
      'BLOB_UPLOAD_UNKNOWN',
      `Repository org/app has no upload ${id}: it ended, was cancelled or has expired.`,
    ])
  })

  it('belongs to one repository, also after a restart', async () => {
    const location = await start()
    const elsewhere = location.replace('org/app', 'org/other')

    assert.equal((await registry.ask('GET', elsewhere)).status, 404)
    await registry.restart()
    assert.equal((await registry.ask('GET', elsewhere)).status, 404)
    assert.equal((await registry.ask('GET', location)).status, 204)
  })

  it('can be saved by mounting what another repository has', async () => {
    const there = await pushBlob(registry, 'source', someBytes())

    const mounted = await registry.ask('POST', `${UPLOADS}?mount=${there}&from=source`)
    const anyone = await registry.ask('POST', `/v2/third/blobs/uploads/?mount=${there}`)
    const wrong = await registry.ask('POST', `/v2/fourth/blobs/uploads/?mount=${there}&from=nowhere`)
    const unknown = await registry.ask('POST', `${UPLOADS}?mount=${sha256('never')}&from=source`)

    assert.deepEqual([mounted.status, locationOf(mounted)], [201, `/v2/org/app/blobs/${there}`])
    assert.deepEqual([anyone.status, locationOf(anyone)], [201, `/v2/third/blobs/${there}`])
    assert.deepEqual([wrong.status, unknown.status], [202, 202])
    assert.equal((await registry.ask('HEAD', `/v2/third/blobs/${there}`)).status, 200)
  })
})

describe('uploads that are under way', () => {
  it('are limited by [registry] max_uploads', async (t) => {
    const registry = await testRegistry(t, { max_uploads: 1 })
    const first = await registry.ask('POST', UPLOADS)

    const second = await registry.ask('POST', UPLOADS)

    assert.deepEqual(errorOf(second), [
      429,
      'TOOMANYREQUESTS',
      '1 uploads are under way, the limit of this registry. Try again.',
    ])
    assert.equal(second.headers['retry-after'], '30')
    await registry.ask('DELETE', locationOf(first))
    assert.equal((await registry.ask('POST', UPLOADS)).status, 202)
  })

  it('are given up, and refused in words, when they are larger than [registry] max_blob_size', async (t) => {
    const registry = await testRegistry(t, { max_blob_size: 1 })
    const bytes = someBytes(1024 ** 2 + 1)
    const told = [
      413,
      'SIZE_INVALID',
      'The blob is larger than 1 MiB, the limit of this registry ([registry] max_blob_size).',
    ]
    const digest = sha256(bytes)

    const whole = await registry.ask('POST', `/v2/app/blobs/uploads/?digest=${digest}`, { body: bytes })
    const location = String((await registry.ask('POST', '/v2/app/blobs/uploads/')).headers.location)
    await registry.ask('PATCH', location, { body: bytes.subarray(0, 600_000) })
    const headers = { 'transfer-encoding': 'chunked' }
    const streamed = await registry.ask('PATCH', location, { headers, body: bytes.subarray(600_000) })
    const after = await registry.ask('GET', location)
    const fits = bytes.subarray(1)
    const taken = await registry.ask('POST', `/v2/app/blobs/uploads/?digest=${sha256(fits)}`, { body: fits })

    assert.deepEqual([errorOf(whole), errorOf(streamed)], [told, told])
    assert.deepEqual([after.status, taken.status], [404, 201])
    assert.deepEqual(readdirSync(join(registry.folder, 'uploads')), [])
  })

  it('are given up after [registry] upload_timeout', async (t) => {
    const registry = await testRegistry(t, { upload_timeout: 0 })
    const location = locationOf(await registry.ask('POST', UPLOADS))

    await registry.restart()

    assert.equal((await registry.ask('GET', location)).status, 404)
  })
})
