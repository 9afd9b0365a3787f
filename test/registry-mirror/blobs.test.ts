/** Blobs of a registry: what a client gets when it pulls, asks for and deletes them. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { errorOf, pushBlob, sha256, sha512, someBytes, suiteRegistry } from './registry.ts'

describe('a blob', () => {
  const registry = suiteRegistry()
  let digest: string
  let url: string
  const bytes = someBytes(2_000_000)

  before(async () => {
    digest = await pushBlob(registry, 'org/app', bytes)
    url = `/v2/org/app/blobs/${digest}`
  })

  it('comes whole, with its digest as its tag, to be kept for ever', async () => {
    const { status, headers, body } = await registry.ask('GET', url)

    assert.equal(status, 200)
    assert.deepEqual(body, bytes)
    const { date: _, connection: __, 'keep-alive': ___, ...told } = headers
    assert.deepEqual(told, {
      'docker-distribution-api-version': 'registry/2.0',
      'content-type': 'application/octet-stream',
      'content-length': '2000000',
      'docker-content-digest': digest,
      'accept-ranges': 'bytes',
      'cache-control': 'max-age=31536000, immutable',
      etag: `"${digest}"`,
    })
  })

  it('tells its size by HEAD', async () => {
    const { status, headers, body } = await registry.ask('HEAD', url)

    assert.deepEqual([status, headers['content-length'], body.length], [200, '2000000', 0])
    assert.equal(headers['docker-content-digest'], digest)
  })

  for (const [range, start, end] of [
    ['bytes=0-0', 0, 0],
    ['bytes=700000-1500000', 700_000, 1_500_000],
    ['bytes=1999990-', 1_999_990, 1_999_999],
    ['bytes=-10', 1_999_990, 1_999_999],
    ['bytes=5-9999999', 5, 1_999_999],
  ] as const)
    it(`comes in part for ${range}`, async () => {
      const { status, headers, body } = await registry.ask('GET', url, { headers: { range } })

      assert.deepEqual([status, headers['content-range']], [206, `bytes ${start}-${end}/2000000`])
      assert.deepEqual(body, bytes.subarray(start, end + 1))
    })

  for (const range of ['bytes=2000000-', 'bytes=-0'])
    it(`has nothing for ${range}`, async () => {
      const { status, headers } = await registry.ask('GET', url, { headers: { range } })

      assert.deepEqual([status, headers['content-range']], [416, 'bytes */2000000'])
    })

  for (const headers of [
    { range: 'bytes=0-1,5-6' },
    { range: 'bytes=9-5' },
    { range: 'pages=1-2' },
    { range: 'bytes=0-4', 'if-range': '"other"' },
  ] as Record<string, string>[])
    it(`comes whole for ${JSON.stringify(headers)}`, async () => {
      const { status, body } = await registry.ask('GET', url, { headers })

      assert.deepEqual([status, body.length], [200, bytes.length])
    })

  it('is not sent again to who has it', async () => {
    const same = await registry.ask('GET', url, { headers: { 'if-none-match': `"x", W/"${digest}"` } })
    const other = await registry.ask('GET', url, { headers: { 'if-none-match': '"x"' } })

    assert.deepEqual([same.status, same.body.length, same.headers.etag], [304, 0, `"${digest}"`])
    assert.equal(other.status, 200)
  })

  it('may be empty', async () => {
    const empty = await pushBlob(registry, 'org/app', Buffer.alloc(0))

    const { status, headers, body } = await registry.ask('GET', `/v2/org/app/blobs/${empty}`)

    assert.deepEqual([status, headers['content-length'], body.length], [200, '0', 0])
  })

  it('may have a sha512', async () => {
    const content = someBytes()
    const path = `/v2/org/app/blobs/${sha512(content)}`
    await registry.ask('POST', `/v2/org/app/blobs/uploads/?digest=${sha512(content)}`, { body: content })

    const { status, headers, body } = await registry.ask('GET', path)

    assert.deepEqual([status, headers['docker-content-digest']], [200, sha512(content)])
    assert.deepEqual(body, content)
  })

  it('is unknown to a repository that nobody pushed it to', async () => {
    const answers = [
      await registry.ask('GET', `/v2/org/other/blobs/${digest}`),
      await registry.ask('DELETE', `/v2/org/other/blobs/${digest}`),
    ]

    const message = `Repository org/other has no blob ${digest}.`
    assert.deepEqual(answers.map(errorOf), [
      [404, 'BLOB_UNKNOWN', message],
      [404, 'BLOB_UNKNOWN', message],
    ])
  })

  it('once deleted is gone from its repository, and only from that', async () => {
    const content = someBytes()
    const path = `blobs/${await pushBlob(registry, 'one', content)}`
    await pushBlob(registry, 'two', content)

    const { status } = await registry.ask('DELETE', `/v2/one/${path}`)

    assert.equal(status, 202)
    assert.equal((await registry.ask('GET', `/v2/one/${path}`)).status, 404)
    assert.equal((await registry.ask('GET', `/v2/two/${path}`)).status, 200)
  })

  it('is found by the name that containerd knows it by, and by ns', async () => {
    const content = someBytes()
    const kept = await pushBlob(registry, 'docker.io/library/debian', content)

    const { status, headers } = await registry.ask('GET', `/v2/library/debian/blobs/${kept}?ns=docker.io`)
    const plain = await registry.ask('GET', `/v2/org/app/blobs/${digest}?ns=quay.io`)
    const strange = await registry.ask('GET', `/v2/org/app/blobs/${digest}?ns=../..`)

    assert.deepEqual([status, headers['oci-namespace']], [200, 'docker.io'])
    assert.deepEqual([plain.status, plain.headers['oci-namespace']], [200, undefined])
    assert.equal(strange.status, 200)
  })

  for (const [what, wrong] of [
    ['an unknown algorithm', 'sha384:00'],
    ['too few digits', 'sha256:00'],
    ['capitals', sha256('').toUpperCase().replace('SHA', 'sha')],
    ['dots', `sha256:${'.'.repeat(64)}`],
  ] as const)
    it(`cannot be asked for by a digest of ${what}`, async () => {
      assert.equal(errorOf(await registry.ask('GET', `/v2/org/app/blobs/${wrong}`))[1], 'DIGEST_INVALID')
    })

  it('cannot lead out of its folder', async () => {
    const { status } = await registry.ask('GET', '/v2/org/app/blobs/sha256:..%2f..%2f..%2f..%2fetc%2fpasswd')

    assert.equal(status, 404)
  })
})
