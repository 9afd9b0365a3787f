/** Manifests and tags: what is taken, what is refused, what a client gets. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { descriptor, errorOf, IMAGE, INDEX, imageIn, pushManifest, sha256, sha512, suiteRegistry } from './registry.ts'

const MANIFEST_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json'
const DOCKER_IMAGE = 'application/vnd.docker.distribution.manifest.v2+json'

describe('a manifest', () => {
  const registry = suiteRegistry()
  let text: string
  let digest: string
  before(async () => {
    text = await imageIn(registry, 'org/app')
    digest = sha256(text)
    await pushManifest(registry, { name: 'org/app', reference: 'latest' }, text)
  })
  const get = (reference: string, headers = {}) =>
    registry.ask('GET', `/v2/org/app/manifests/${reference}`, { headers })

  it('comes by its tag and by its digest, byte for byte', async () => {
    for (const reference of ['latest', digest]) {
      const { status, headers, body } = await get(reference)

      assert.deepEqual([status, body.toString()], [200, text])
      assert.deepEqual(
        [headers['content-type'], headers['docker-content-digest'], headers.etag, headers['content-length']],
        [IMAGE, digest, `"${digest}"`, String(text.length)],
      )
    }
  })

  it('tells the same by HEAD, without a body', async () => {
    const { status, headers, body } = await registry.ask('HEAD', '/v2/org/app/manifests/latest')

    assert.deepEqual([status, headers['docker-content-digest'], body.length], [200, digest, 0])
    assert.equal(headers['content-length'], String(text.length))
  })

  it('is not sent again to who has it', async () => {
    assert.equal((await get('latest', { 'if-none-match': `"${digest}"` })).status, 304)
  })

  it('survives a restart, with its tag', async () => {
    await registry.restart()

    assert.equal((await get('latest')).body.toString(), text)
  })

  it('is answered with where it is, once pushed', async () => {
    const { status, headers } = await pushManifest(registry, { name: 'org/app', reference: 'v1' }, text)

    assert.deepEqual(
      [status, headers.location, headers['docker-content-digest'], headers['oci-subject'], headers['oci-tag']],
      [201, `/v2/org/app/manifests/${digest}`, digest, undefined, undefined],
    )
  })

  it('gets all tags that its push by digest names', async () => {
    const reference = `${digest}?tag=1&tag=1.2&tag=1.2.3`

    const { status, headers } = await pushManifest(registry, { name: 'org/app', reference }, text)

    assert.deepEqual([status, headers['oci-tag']], [201, '1, 1.2, 1.2.3'])
    assert.equal((await get('1.2.3')).headers['docker-content-digest'], digest)
  })

  it('may have a sha512', async () => {
    const { status } = await pushManifest(registry, { name: 'org/app', reference: `${sha512(text)}?tag=long` }, text)

    assert.equal(status, 201)
    assert.equal((await get('long')).headers['docker-content-digest'], sha512(text))
  })

  it("may be Docker's: an image and a manifest list", async () => {
    const image = await imageIn(registry, 'org/app', { mediaType: DOCKER_IMAGE })
    const list = JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST_LIST, manifests: [descriptor(IMAGE, image)] })

    await pushManifest(registry, { name: 'org/app', reference: 'amd64', type: DOCKER_IMAGE }, image)
    await pushManifest(registry, { name: 'org/app', reference: 'docker', type: MANIFEST_LIST }, list)

    assert.equal((await get('amd64')).headers['content-type'], DOCKER_IMAGE)
    assert.equal((await get('docker')).headers['content-type'], MANIFEST_LIST)
  })

  it('may be an index of platforms that are not all here', async () => {
    const index = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [descriptor(IMAGE, 'not here')] })

    const { status } = await pushManifest(registry, { name: 'org/app', reference: 'sparse', type: INDEX }, index)

    assert.equal(status, 201)
  })

  it('must not come before its blobs', async () => {
    const other = sha256('{}')

    const refused = await pushManifest(registry, { name: 'org/empty', reference: 'latest' }, text)

    const [status, code, message] = errorOf(refused)
    assert.deepEqual([status, code], [400, 'MANIFEST_BLOB_UNKNOWN'])
    assert.match(
      String(message),
      new RegExp(
        `^The manifest refers to blobs that repository org/empty does not have: ${other}, sha256:\\w{64}\\. Push them first\\.$`,
      ),
    )
    assert.equal((await registry.ask('GET', '/v2/org/empty/manifests/latest')).status, 404)
  })

  it('is not in its repository when its content could not be stored', async () => {
    const unstored = await imageIn(registry, 'org/app')
    const hex = sha256(unstored).slice('sha256:'.length)
    mkdirSync(join(registry.folder, 'blobs/sha256', hex, 'taken'), { recursive: true })

    const { status } = await pushManifest(registry, { name: 'org/app', reference: 'unstored' }, unstored)

    assert.equal(status, 500)
    assert.equal(existsSync(join(registry.folder, 'repositories/org/app/_manifests/sha256', hex)), false)
  })

  it('need not bring layers that are fetched from elsewhere', async () => {
    const foreign = {
      ...descriptor('application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', 'windows'),
      urls: ['https://example.com/windows'],
    }

    const image = await imageIn(registry, 'org/app', { layers: [foreign] })

    assert.equal((await pushManifest(registry, { name: 'org/app', reference: 'foreign' }, image)).status, 201)
  })

  for (const [what, body, type, message] of [
    ['no JSON', 'no', IMAGE, /^The manifest is no JSON: /],
    [
      'nested too deeply',
      '['.repeat(1_000_000),
      IMAGE,
      'The manifest is too much to read: it is nested deeper than 32 levels.',
    ],
    ['a list', '[]', IMAGE, 'The manifest is no JSON object.'],
    ['not UTF-8', Buffer.from([0x22, 0xff, 0x22]), IMAGE, /^The manifest is no JSON: /],
    [
      'told as another type',
      '{"mediaType":"a/b"}',
      IMAGE,
      `The Content-Type is ${IMAGE}, but the manifest says "a/b".`,
    ],
    ['of schema 1', '{"schemaVersion":1}', IMAGE, 'The manifest has schemaVersion 1: expected 2.'],
    [
      'without a digest',
      '{"schemaVersion":2,"layers":[{"size":1}]}',
      IMAGE,
      "The manifest's layers[0] has the digest undefined: expected sha256 or sha512 in lower-case hex.",
    ],
    [
      'with a digest that leads out',
      '{"schemaVersion":2,"config":{"size":1,"digest":"sha256:../../../etc/passwd"}}',
      IMAGE,
      'The manifest\'s config has the digest "sha256:../../../etc/passwd": expected sha256 or sha512 in lower-case hex.',
    ],
    ['of a strange type', '{}', 'text/plain', /^text\/plain is not kept here: expected one of application\/vnd\.oci\./],
    ['without layers but a text', '{"layers":"x"}', IMAGE, "The manifest's layers are no list."],
  ] as const)
    it(`is refused when it is ${what}`, async () => {
      const refused = await registry.ask('PUT', '/v2/org/app/manifests/bad', {
        headers: { 'content-type': type },
        body,
      })

      const [status, code, told] = errorOf(refused)
      assert.deepEqual([status, code], [400, 'MANIFEST_INVALID'])
      if (message instanceof RegExp) assert.match(String(told), message)
      else assert.equal(told, message)
    })

  it('is refused by another digest than its own', async () => {
    const refused = await pushManifest(registry, { name: 'org/app', reference: sha256('other') }, text)

    assert.deepEqual(errorOf(refused), [
      400,
      'DIGEST_INVALID',
      `The manifest has the digest ${digest}, not ${sha256('other')}.`,
    ])
  })

  it('is taken up to 4 MiB, and refused beyond', async () => {
    const sized = (bytes: number) => `${text.slice(0, -1)}${' '.repeat(bytes - text.length)}}`
    const at = { name: 'org/app', reference: 'big' }

    const fits = await pushManifest(registry, at, sized(4 * 1024 * 1024))
    const told = await pushManifest(registry, at, sized(4 * 1024 * 1024 + 1))
    const streamed = await pushManifest(
      registry,
      { ...at, headers: { 'transfer-encoding': 'chunked' } },
      sized(4 * 1024 * 1024 + 1),
    )

    assert.equal(fits.status, 201)
    const refusal = [413, 'SIZE_INVALID', 'The manifest is larger than 4194304 bytes, the limit of this registry.']
    assert.deepEqual([told, streamed].map(errorOf), [refusal, refusal])
  })

  it('is put only if its tag is still what the client saw', async () => {
    const at = { name: 'org/app', reference: 'conditional' }
    const one = await imageIn(registry, 'org/app')
    const two = await imageIn(registry, 'org/app')
    const put = (what: string, headers: Record<string, string>) => pushManifest(registry, { ...at, headers }, what)

    assert.equal((await put(one, { 'if-match': '*' })).status, 412)
    assert.equal((await put(one, { 'if-none-match': '*' })).status, 201)
    assert.equal((await put(two, { 'if-none-match': '*' })).status, 412)
    assert.equal((await put(two, { 'if-match': `"${sha256(two)}"` })).status, 412)
    assert.equal((await get('conditional')).body.toString(), one)
    assert.equal((await put(two, { 'if-match': `"${sha256(one)}"` })).status, 201)
  })

  it('once deleted is gone with all its tags, also when it is pushed again', async () => {
    const doomed = await imageIn(registry, 'org/app')
    const reference = sha256(doomed)
    await pushManifest(registry, { name: 'org/app', reference: `${reference}?tag=d1&tag=d2` }, doomed)
    await get('d1')

    const { status } = await registry.ask('DELETE', `/v2/org/app/manifests/${reference}`)

    assert.equal(status, 202)
    for (const gone of [reference, 'd1', 'd2'])
      assert.deepEqual(errorOf(await get(gone)), [
        404,
        'MANIFEST_UNKNOWN',
        `Repository org/app has no manifest ${gone}.`,
      ])
    await pushManifest(registry, { name: 'org/app', reference }, doomed)
    assert.equal((await get('d1')).status, 404)
    assert.equal((await get('latest')).status, 200)
  })

  it('stays when only a tag is deleted', async () => {
    await pushManifest(registry, { name: 'org/app', reference: 'short-lived' }, text)

    const { status } = await registry.ask('DELETE', '/v2/org/app/manifests/short-lived')
    const again = await registry.ask('DELETE', '/v2/org/app/manifests/short-lived')

    assert.deepEqual([status, again.status], [202, 404])
    assert.equal((await get('short-lived')).status, 404)
    assert.equal((await get(digest)).status, 200)
  })
})
