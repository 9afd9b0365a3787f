/** Pull-through: what a client gets of an upstream's repositories, and what that costs the upstream. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { descriptor, errorOf, IMAGE, INDEX, imageIn, pushManifest, sha256 } from '../registry.ts'
import { pushImage, rig, until } from './mirror.ts'

const APP = '/v2/up.example/org/app'

describe('a pull through the mirror', () => {
  it("is the upstream's image, byte by byte", async (t) => {
    const { mirror, upstream } = await rig(t)
    const { manifest, digest, layer, layerDigest } = await pushImage(upstream, { name: 'org/app', tag: 'v1' })

    const tagged = await mirror.ask('GET', `${APP}/manifests/v1`)
    const blob = await mirror.ask('GET', `${APP}/blobs/${layerDigest}`)

    assert.deepEqual(
      [tagged.status, tagged.headers['docker-content-digest'], tagged.headers['content-type'], tagged.headers.warning],
      [200, digest, IMAGE, undefined],
    )
    assert.equal(tagged.body.toString(), manifest)
    assert.deepEqual([blob.status, blob.headers['content-length']], [200, String(layer.length)])
    assert.deepEqual(blob.body, layer)
  })

  it('asks upstream once for each thing, also after a restart', async (t) => {
    const { mirror, upstream, injector } = await rig(t)
    const { digest, layerDigest } = await pushImage(upstream, { name: 'org/app', tag: 'v1' })
    const pull = async () => {
      await mirror.ask('HEAD', `${APP}/manifests/v1`)
      for (const path of [`manifests/v1`, `manifests/${digest}`, `blobs/${layerDigest}`])
        assert.equal((await mirror.ask('GET', `${APP}/${path}`)).status, 200)
    }

    await pull()
    await pull()
    const first = injector.lines()
    injector.forget()
    await mirror.restart()
    await pull()

    assert.deepEqual(first, ['GET /v2/org/app/manifests/v1', `GET /v2/org/app/blobs/${layerDigest}`])
    assert.deepEqual(injector.lines(), ['HEAD /v2/org/app/manifests/v1'])
  })

  it('never asks upstream again for a digest, however dead that is', async (t) => {
    const { mirror, upstream, injector } = await rig(t, { config: { tag_ttl: 0 } })
    const { digest, layerDigest } = await pushImage(upstream, { name: 'org/app', tag: 'v1' })
    await mirror.ask('GET', `${APP}/manifests/${digest}`)
    await mirror.ask('GET', `${APP}/blobs/${layerDigest}`)
    injector.fault(/./, { refuses: true })

    const answers = [
      await mirror.ask('GET', `${APP}/manifests/${digest}`),
      await mirror.ask('GET', `${APP}/blobs/${layerDigest}`),
    ]

    assert.deepEqual(
      answers.map(({ status, headers }) => [status, headers.warning]),
      [
        [200, undefined],
        [200, undefined],
      ],
    )
    assert.equal(injector.asked.length, 2)
  })

  it('takes a layer that another repository has from the disk, when its own image names it', async (t) => {
    const { mirror, upstream, injector } = await rig(t)
    const { layerDigest, layer, manifest } = await pushImage(upstream, { name: 'org/app', tag: 'v1' })
    for (const { digest } of [JSON.parse(manifest).config, ...JSON.parse(manifest).layers])
      await upstream.ask('POST', `/v2/org/other/blobs/uploads/?mount=${digest}`)
    await pushManifest(upstream, { name: 'org/other', reference: 'v1' }, manifest)
    await mirror.ask('GET', `${APP}/blobs/${layerDigest}`)
    injector.forget()

    await mirror.ask('GET', '/v2/up.example/org/other/manifests/v1')
    const { status, body } = await mirror.ask('GET', `/v2/up.example/org/other/blobs/${layerDigest}`)

    assert.deepEqual([status, body.equals(layer)], [200, true])
    assert.deepEqual(injector.lines(), ['GET /v2/org/other/manifests/v1'])
  })

  it('gives nobody a blob of another repository that the upstream does not have in this one', async (t) => {
    const { mirror, upstream, injector } = await rig(t)
    const { layerDigest } = await pushImage(upstream, { name: 'org/app', tag: 'v1', size: 1_000_000 })
    const own = await pushImage(mirror, { name: 'secret/app', tag: 'v1' })
    injector.fault(/GET/, { bytes_per_s: 2_000_000 })
    const coming = mirror.ask('GET', `${APP}/blobs/${layerDigest}`)
    await until(() => injector.bodyBytes > 0)

    const answers = []
    for (const digest of [layerDigest, own.layerDigest])
      for (const method of ['GET', 'HEAD'])
        answers.push((await mirror.ask(method, `/v2/up.example/org/other/blobs/${digest}`)).status)

    assert.deepEqual(answers, [404, 404, 404, 404])
    assert.equal((await coming).status, 200)
  })

  it('works as containerd asks, by ns', async (t) => {
    const { mirror, upstream } = await rig(t)
    const { digest, layerDigest, layer } = await pushImage(upstream, { name: 'org/app', tag: 'v1' })

    const tagged = await mirror.ask('GET', '/v2/org/app/manifests/v1?ns=up.example')
    const blob = await mirror.ask('GET', `/v2/org/app/blobs/${layerDigest}?ns=up.example`)

    assert.deepEqual([tagged.status, tagged.headers['docker-content-digest']], [200, digest])
    assert.deepEqual([blob.body.equals(layer), blob.headers['oci-namespace']], [true, 'up.example'])
  })

  it('lets an index be pulled without the platforms that nobody needs', async (t) => {
    const { mirror, upstream, injector } = await rig(t)
    const { digest } = await pushImage(upstream, { name: 'org/app', tag: 'amd64' })
    const { digest: other } = await pushImage(upstream, { name: 'org/app', tag: 'arm64' })
    const manifests = [digest, other].map((one) => ({ mediaType: IMAGE, digest: one, size: 400 }))
    const index = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests })
    await pushManifest(upstream, { name: 'org/app', reference: 'v1', type: INDEX }, index)

    const { body } = await mirror.ask('GET', `${APP}/manifests/v1`)
    const one = await mirror.ask('GET', `${APP}/manifests/${digest}`)

    assert.equal(body.toString(), index)
    assert.equal(one.status, 200)
    assert.deepEqual(injector.lines(), ['GET /v2/org/app/manifests/v1', `GET /v2/org/app/manifests/${digest}`])
  })

  it("tells the upstream's tags, page by page, and those that are here when it is dead", async (t) => {
    const { mirror, upstream, injector } = await rig(t, { config: { tag_ttl: 0 } })
    for (const tag of ['v3', 'v1', 'v2']) await pushImage(upstream, { name: 'org/app', tag, size: 10 })
    await mirror.ask('GET', `${APP}/manifests/v2`)

    const all = await mirror.ask('GET', `${APP}/tags/list`)
    const page = await mirror.ask('GET', `${APP}/tags/list?n=1&last=v1`)
    injector.fault(/./, { refuses: true })
    const here = await mirror.ask('GET', `${APP}/tags/list`)

    assert.deepEqual(all.json, { name: 'up.example/org/app', tags: ['v1', 'v2', 'v3'] })
    assert.deepEqual(page.json?.tags, ['v2'])
    assert.equal(page.headers.link, '</v2/up.example/org/app/tags/list?n=1&last=v2>; rel="next"')
    assert.deepEqual(here.json?.tags, ['v2'])
  })

  it("tells of the upstream's referrers", async (t) => {
    const { mirror, upstream } = await rig(t)
    const { digest, manifest } = await pushImage(upstream, { name: 'org/app', tag: 'v1' })
    const subject = descriptor(IMAGE, manifest)
    const signature = await imageIn(upstream, 'org/app', { subject, artifactType: 'application/vnd.example.signature' })
    await pushManifest(upstream, { name: 'org/app', reference: sha256(signature) }, signature)

    const { json } = await mirror.ask('GET', `${APP}/referrers/${digest}`)

    assert.deepEqual(json?.manifests, [
      { ...descriptor(IMAGE, signature), artifactType: 'application/vnd.example.signature' },
    ])
  })

  it('does not know what the upstream does not know, and does not ask again at once', async (t) => {
    const { mirror, injector } = await rig(t, { patience: { retry_ms: 60_000 } })
    const missing = sha256('nothing')

    const answers = []
    for (const path of ['manifests/v1', 'manifests/v1', `blobs/${missing}`, `blobs/${missing}`, `manifests/${missing}`])
      answers.push(errorOf(await mirror.ask('GET', `${APP}/${path}`)))

    assert.deepEqual(answers.slice(1, 4), [
      [404, 'MANIFEST_UNKNOWN', 'Repository up.example/org/app has no manifest v1.'],
      [404, 'BLOB_UNKNOWN', `Repository up.example/org/app has no blob ${missing}.`],
      [404, 'BLOB_UNKNOWN', `Repository up.example/org/app has no blob ${missing}.`],
    ])
    assert.deepEqual(injector.lines(), [
      'GET /v2/org/app/manifests/v1',
      `GET /v2/org/app/blobs/${missing}`,
      `GET /v2/org/app/manifests/${missing}`,
    ])
  })

  it('finds after a while what the upstream did not know before', async (t) => {
    const { mirror, upstream } = await rig(t, { patience: { retry_ms: 0 } })
    assert.equal((await mirror.ask('GET', `${APP}/manifests/v1`)).status, 404)

    await pushImage(upstream, { name: 'org/app', tag: 'v1' })

    assert.equal((await mirror.ask('GET', `${APP}/manifests/v1`)).status, 200)
  })

  it('leaves repositories of no upstream to this registry', async (t) => {
    const { mirror, injector } = await rig(t)
    await pushImage(mirror, { name: 'org/app', tag: 'v1' })

    assert.equal((await mirror.ask('GET', '/v2/org/app/manifests/v1')).status, 200)
    assert.equal((await mirror.ask('GET', '/v2/up.example/manifests/v1')).status, 404)
    assert.equal(injector.asked.length, 0)
  })

  it('is marked as pulled, what was pushed is not', async (t) => {
    const { mirror, upstream } = await rig(t)
    const { digest } = await pushImage(upstream, { name: 'org/app', tag: 'v1' })
    const pushed = await pushImage(mirror, { name: 'own/app', tag: 'v1' })

    await mirror.ask('GET', `${APP}/manifests/v1`)

    const { manifests } = JSON.parse(readFileSync(join(mirror.folder, 'state.json'), 'utf8'))
    assert.equal(manifests[`up.example/org/app@${digest}`].pulled, true)
    assert.equal(manifests[`own/app@${pushed.digest}`]?.pulled, undefined)
  })
})

describe('a repository of an upstream', () => {
  it('cannot be pushed to', async (t) => {
    const { mirror, injector } = await rig(t)
    const manifest = JSON.stringify({ schemaVersion: 2, mediaType: IMAGE })

    const answers = [
      await mirror.ask('POST', `${APP}/blobs/uploads/`),
      await pushManifest(mirror, { name: 'up.example/org/app', reference: 'v1' }, manifest),
    ]

    const message = `Repository up.example/org/app is pulled from upstream up.example (127.0.0.1:${injector.port}); nothing can be pushed to it. Push to a name that does not begin with up.example/.`
    assert.deepEqual(answers.map(errorOf), [
      [403, 'DENIED', message],
      [403, 'DENIED', message],
    ])
  })

  for (const [name, patterns, isAllowed] of [
    ['org/app', { allow: ['org/*'] }, true],
    ['org/deep/app', { allow: ['org/*'] }, true],
    ['other/app', { allow: ['org/*', 'x'] }, false],
    ['orgs/app', { allow: ['org/*'] }, false],
    ['org/app', { deny: ['org/secret*'] }, true],
    ['org/secrets', { allow: ['org/*'], deny: ['org/secret*'] }, false],
    ['a.b', { allow: ['a?b', 'a.c'] }, false],
  ] as const)
    it(`${isAllowed ? 'may' : 'may not'} be pulled when it is ${name} and ${JSON.stringify(patterns)}`, async (t) => {
      const { mirror, injector } = await rig(t, { config: patterns })

      const [status, code, message] = errorOf(await mirror.ask('GET', `/v2/up.example/${name}/manifests/v1`))

      assert.deepEqual([status, injector.asked.length], isAllowed ? [404, 1] : [403, 0])
      if (isAllowed) return
      assert.equal(code, 'DENIED')
      assert.equal(
        message,
        `Repository up.example/${name} is not for this mirror to pull: see allow and deny of [upstream:up.example].`,
      )
    })

  it('can be deleted from the mirror, and comes again when it is asked for', async (t) => {
    const { mirror, upstream } = await rig(t)
    const { digest } = await pushImage(upstream, { name: 'org/app', tag: 'v1' })
    await mirror.ask('GET', `${APP}/manifests/v1`)

    const { status } = await mirror.ask('DELETE', `${APP}/manifests/${digest}`)

    assert.equal(status, 202)
    assert.equal((await mirror.ask('GET', `${APP}/manifests/v1`)).headers['docker-content-digest'], digest)
  })
})

describe('a blob on its way', () => {
  it('leaves nothing behind but the blob', async (t) => {
    const { mirror, upstream } = await rig(t)
    const { layerDigest } = await pushImage(upstream, { name: 'org/app', tag: 'v1' })
    await mirror.ask('GET', `${APP}/blobs/${layerDigest}`)

    await mirror.restart()

    assert.deepEqual(readdirSync(join(mirror.folder, 'transfers')), [])
    assert.deepEqual(readdirSync(join(mirror.folder, 'blobs/sha256')), [layerDigest.slice('sha256:'.length)])
  })

  it('may be empty', async (t) => {
    const { mirror, upstream } = await rig(t)
    const { layerDigest } = await pushImage(upstream, { name: 'org/app', tag: 'v1', size: 0 })

    for (const _ of [1, 2]) {
      const { status, body } = await mirror.ask('GET', `${APP}/blobs/${layerDigest}`)
      assert.deepEqual([status, body.length], [200, 0])
    }
  })

  it('may come without a length', async (t) => {
    const { mirror, upstream, injector } = await rig(t)
    const { layerDigest, layer } = await pushImage(upstream, { name: 'org/app', tag: 'v1' })
    injector.fault(/blobs/, { headers: { 'content-length': '' } })

    const { status, body } = await mirror.ask('GET', `${APP}/blobs/${layerDigest}`)

    assert.deepEqual([status, body.equals(layer)], [200, true])
  })

  it('gives a part of itself to who asks for a part', async (t) => {
    const { mirror, upstream } = await rig(t)
    const { layerDigest, layer } = await pushImage(upstream, { name: 'org/app', tag: 'v1', size: 2_000_000 })

    const { status, body } = await mirror.ask('GET', `${APP}/blobs/${layerDigest}`, {
      headers: { range: 'bytes=1500000-1999999' },
    })

    assert.deepEqual([status, body.equals(layer.subarray(1_500_000))], [206, true])
  })

  it('tells its size by HEAD without coming', async (t) => {
    const { mirror, upstream, injector } = await rig(t)
    const { layerDigest } = await pushImage(upstream, { name: 'org/app', tag: 'v1', size: 123_456 })

    const { headers } = await mirror.ask('HEAD', `${APP}/blobs/${layerDigest}`)

    assert.equal(headers['content-length'], '123456')
    assert.deepEqual([injector.lines(), injector.bodyBytes], [[`HEAD /v2/org/app/blobs/${layerDigest}`], 0])
  })
})
