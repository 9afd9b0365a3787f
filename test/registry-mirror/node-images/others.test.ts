/** Images of registries that no section of the configuration names. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { parseReference } from '../../../registry-mirror/index.ts'
import { testRegistry } from '../registry.ts'
import { faultInjector } from '../upstream/fault-injector.ts'
import { pushBootable } from './images.ts'
import { secured } from './secure.ts'

const AMD64 = { architecture: 'amd64' }
/** An upstream that refuses is asked again soon; one that is slow because this box is busy is waited for. */
const PATIENCE = { pause_ms: 50, retry_ms: 50, stale_ms: 10_000 }

async function strangerRig(t: TestContext, other_upstreams = true) {
  const upstream = await testRegistry(t)
  const injector = await faultInjector(t, () => upstream.port)
  const { host, ca } = await secured(t, () => injector.port)
  const mirror = await testRegistry(t, { other_upstreams }, { patience: PATIENCE, others: { ca, tag_ttl: 0 } })
  return { upstream, injector, mirror, host, name: host.replace(':', '_') }
}

describe('an image of a registry that nobody configured', () => {
  it('is held all the same, and is followed by its tag for as long as it is held', async (t) => {
    const { upstream, injector, mirror, host, name } = await strangerRig(t)
    const first = await pushBootable(upstream, { name: 'org/app', tag: 'v1' })
    const image = await mirror.images.inspect(`${host}/org/app:v1`, AMD64)
    await mirror.images.hold(image, { owner: 'node:1' })
    const { location } = await mirror.images.access(image, { owner: 'node:1' })
    await mirror.restart()
    const second = await pushBootable(upstream, { name: 'org/app', tag: 'v1' })
    const digestNow = async () =>
      (await mirror.ask('HEAD', `/v2/${name}/org/app/manifests/v1`)).headers['docker-content-digest']

    const held = await digestNow()
    injector.fault(/./, { refuses: true })
    const offline = await digestNow()
    injector.heal()
    await mirror.images.release('node:1')
    injector.forget()
    const released = await digestNow()

    assert.equal(location.split('/').slice(1).join('/'), `${name}/org/app`)
    assert.deepEqual([held, offline, released], [second.digest, second.digest, second.digest])
    assert.notEqual(first.digest, second.digest)
    assert.deepEqual(injector.lines(), [])
  })

  it('is not to be had by clients of the rack while nobody holds it', async (t) => {
    const { upstream, injector, mirror, host, name } = await strangerRig(t)
    await pushBootable(upstream, { name: 'org/app', tag: 'v1' })
    await pushBootable(upstream, { name: 'org/other', tag: 'v1' })
    await mirror.images.hold(await mirror.images.inspect(`${host}/org/app:v1`, AMD64), { owner: 'node:1' })
    injector.forget()

    const other = await mirror.ask('GET', `/v2/${name}/org/other/manifests/v1`)
    const byNs = await mirror.ask('GET', `/v2/org/other/manifests/v1?ns=${name}`)
    const tags = await mirror.ask('GET', `/v2/${name}/org/other/tags/list`)

    assert.deepEqual([other.status, byNs.status, tags.status], [404, 404, 404])
    assert.deepEqual(injector.lines(), [])
  })

  it('is refused where the operator wants no others', async (t) => {
    const { mirror, injector, host } = await strangerRig(t, false)

    await assert.rejects(mirror.images.inspect(`${host}/org/app:v1`, AMD64), {
      message: `Image ${host}/org/app:v1 is not for this mirror to pull: no section [upstream:NAME] names ${host}, and [registry] other_upstreams is false.`,
    })
    assert.deepEqual(injector.lines(), [])
  })

  it('is never asked for without TLS', async (t) => {
    const upstream = await testRegistry(t)
    await pushBootable(upstream, { name: 'org/app', tag: 'v1' })
    const mirror = await testRegistry(t, {}, { patience: PATIENCE })

    const inspected = mirror.images.inspect(`127.0.0.1:${upstream.port}/org/app:v1`, AMD64)

    await assert.rejects(inspected, { problem: 'unreachable' })
  })
})

describe('a reference to an image', () => {
  it('is read as people write them', () => {
    const digest = `sha256:${'0'.repeat(64)}`
    const canonical = (text: string) => parseReference(text).canonical

    assert.equal(canonical('docker.io/debian'), 'docker.io/library/debian:latest')
    assert.equal(canonical('index.docker.io/org/app:v1'), 'docker.io/org/app:v1')
    assert.equal(canonical('QUAY.io/org/app'), 'quay.io/org/app:latest')
    assert.equal(canonical('localhost/app:v1'), 'localhost/app:v1')
    assert.equal(canonical(`registry.lab:5000/a/b/c:v1@${digest}`), 'registry.lab:5000/a/b/c:v1')
    assert.equal(canonical(`quay.io/org/app@${digest}`), `quay.io/org/app@${digest}`)
  })

  it('is refused where it could mean anything else', () => {
    for (const text of [
      ...['', 'debian', 'org/app:v1', 'quay.io/', 'quay.io/Org/app', 'quay.io/../app', 'quay.io:99999/app'],
      ...['user:pw@quay.io/app', 'quay.io/app@sha256:0', 'quay.io/app:-v', 'quay.io/app?x=1', '[::1]:5000/app'],
      ...['https://quay.io/app', `quay.io/${'a'.repeat(300)}`, 'quay.io/app:v1:v2', 'quay.io\n/app'],
    ])
      assert.throws(() => parseReference(text), { name: 'RegistryError' }, text)
  })
})
