/** Images that machines are deployed from: what they are, that all of them is here before it is needed, and stays. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type AdminRequest, askRegistry } from '../../../registry-mirror/index.ts'
import { configOf, errorOf, logTo, type TestRegistry } from '../registry.ts'
import { rig } from '../upstream/mirror.ts'
import { pushBootable, pushIndex } from './images.ts'

const AMD64 = { architecture: 'amd64' }
const REFERENCE = 'up.example/org/app:v1'

const evict = (mirror: TestRegistry) =>
  askRegistry(configOf(mirror.folder), logTo([]), {
    request: {
      ask: 'run',
      job: 'evict',
      options: { quota_bytes: 1, spare_s: -1, grace_s: 0 },
    } satisfies AdminRequest,
  })

describe('inspecting an image', () => {
  it('tells digest, labels, layers and sizes of the platform, and keeps nothing', async (t) => {
    const { mirror, upstream } = await rig(t)
    const amd64 = await pushBootable(upstream, { name: 'org/app' }, { labels: { 'containers.bootc': '1' } })
    const arm64 = await pushBootable(upstream, { name: 'org/app' }, { architecture: 'arm64' })
    const digest = await pushIndex(upstream, { name: 'org/app', tag: 'v1' }, { amd64, arm64 })

    const image = await mirror.images.inspect(REFERENCE, AMD64)

    assert.deepEqual(image, {
      reference: REFERENCE,
      digest,
      manifest_digest: amd64.digest,
      architecture: 'amd64',
      labels: { 'containers.bootc': '1' },
      layers: amd64.layers.map(({ length }, at) => ({ digest: amd64.layerDigests[at], size_bytes: length })),
      size_bytes: amd64.size_bytes,
    })
    assert.deepEqual((await mirror.ask('GET', '/v2/_catalog')).json, { repositories: [] })
  })

  it('says in a sentence why an image cannot be had', async (t) => {
    const { mirror, upstream, injector } = await rig(t)
    const { images } = mirror
    await pushBootable(upstream, { name: 'org/app', tag: 'v1' }, { architecture: 'arm64' })
    const amd64 = await pushBootable(upstream, { name: 'org/app' })
    await pushIndex(upstream, { name: 'org/app', tag: 'index' }, { s390x: amd64, riscv64: amd64 })
    await pushBootable(
      upstream,
      { name: 'org/chart', tag: 'v1' },
      { configType: 'application/vnd.cncf.helm.config.v1+json' },
    )
    const told = (reference: string) => images.inspect(reference, AMD64).then(String, ({ message }: Error) => message)

    assert.equal(
      await told('up.example/org/app:v2'),
      'Image up.example/org/app:v2 does not exist: registry up.example knows none.',
    )
    assert.equal(
      await told('up.example/org/app:v1'),
      'Image up.example/org/app:v1 has nothing for linux/amd64: it has linux/arm64.',
    )
    assert.equal(
      await told('up.example/org/app:index'),
      'Image up.example/org/app:index has nothing for linux/amd64: it has linux/s390x, linux/riscv64.',
    )
    assert.equal(
      await told('up.example/org/chart:v1'),
      'up.example/org/chart:v1 is no container image, but an artifact of type application/vnd.cncf.helm.config.v1+json.',
    )
    assert.equal(
      await told('oci://up.example/org/app:v1'),
      "'oci://up.example/org/app:v1' names no image: it begins with a scheme. Expected HOST/PATH:TAG or HOST/PATH@DIGEST, such as quay.io/org/app:v1.",
    )
    injector.fault(/manifests/, { status: 401 })
    assert.equal(
      await told('up.example/org/app:v1'),
      'Image up.example/org/app:v1 cannot be had: registry up.example asks for credentials, or has no such image. Set a pull secret.',
    )
    injector.fault(/./, { refuses: true })
    assert.equal(
      await told('up.example/org/app:v1'),
      'Image up.example/org/app:v1 cannot be had: Upstream up.example cannot be reached: other side closed. It is not here either.',
    )
  })

  it('finds a registry out that sends what is not of the digest', async (t) => {
    const { mirror, upstream, injector } = await rig(t)
    await pushBootable(upstream, { name: 'org/app', tag: 'v1' })
    injector.fault(/GET .*manifests/, { corrupt_at: 30 })

    const inspected = mirror.images.inspect(REFERENCE, AMD64)

    await assert.rejects(inspected, {
      problem: 'lying',
      message: /cannot be had: .* sends one that is not of the digest sha256:/,
    })
  })
})

describe('holding an image', () => {
  it('brings all of it here, so that it is had by tag and digest when the upstream is dead', async (t) => {
    const { mirror, upstream, injector } = await rig(t, { config: { tag_ttl: 0 } })
    const amd64 = await pushBootable(upstream, { name: 'org/app' })
    const arm64 = await pushBootable(upstream, { name: 'org/app' }, { architecture: 'arm64' })
    const digest = await pushIndex(upstream, { name: 'org/app', tag: 'v1' }, { amd64, arm64 })
    const image = await mirror.images.inspect(REFERENCE, AMD64)
    const told: [number, number][] = []

    await mirror.images.hold(image, { owner: 'node:1', progress: (done, total) => told.push([done, total]) })
    injector.fault(/./, { refuses: true })

    const statuses: number[] = []
    for (const path of [
      ...['v1', digest, amd64.digest, arm64.digest].map((one) => `manifests/${one}`),
      ...amd64.layerDigests.map((one) => `blobs/${one}`),
    ])
      statuses.push((await mirror.ask('GET', `/v2/up.example/org/app/${path}`)).status)
    assert.deepEqual(statuses, [200, 200, 200, 503, 200, 200])
    const layersBytes = amd64.layers.reduce((sum, { length }) => sum + length, 0)
    assert.deepEqual(told.at(-1), [layersBytes, image.size_bytes])
    // The same, from what is here.
    const { warning = '', ...again } = await mirror.images.inspect(REFERENCE, AMD64)
    assert.deepEqual(again, image)
    assert.match(
      warning,
      /cannot be reached.*This is what up\.example\/org\/app:v1 meant when the upstream last told\.$/,
    )
    await mirror.images.hold(image, { owner: 'node:2' })
  })

  it('asks for each blob once, for any number of machines', async (t) => {
    const { mirror, upstream, injector } = await rig(t)
    const { layerDigests } = await pushBootable(upstream, { name: 'org/app', tag: 'v1' })
    const image = await mirror.images.inspect(REFERENCE, AMD64)
    injector.forget()

    await Promise.all([1, 2, 3, 4].map((one) => mirror.images.hold(image, { owner: `node:${one}` })))

    const blobs = injector.lines().filter((line) => layerDigests.some((digest) => line.endsWith(digest)))
    assert.equal(blobs.length, layerDigests.length)
  })

  it('keeps it from eviction until it is released, and so what it replaces', async (t) => {
    const { mirror, upstream } = await rig(t, { config: { tag_ttl: 0 } })
    const first = await pushBootable(upstream, { name: 'org/app', tag: 'v1' })
    await mirror.images.hold(await mirror.images.inspect(REFERENCE, AMD64), { owner: 'node:1' })
    const here = async () => {
      const answer = await askRegistry(configOf(mirror.folder), logTo([]), { request: { ask: 'list' } })
      return 'list' in answer ? answer.list.map(({ digest, pinned, held_by }) => [digest, pinned, held_by]) : []
    }
    await evict(mirror)
    assert.deepEqual(await here(), [[first.digest, true, ['node:1']]])
    await mirror.restart()
    const second = await pushBootable(upstream, { name: 'org/app', tag: 'v1' })

    await mirror.images.hold(await mirror.images.inspect(REFERENCE, AMD64), { owner: 'node:1' })
    await evict(mirror)
    assert.deepEqual(await here(), [[second.digest, true, ['node:1']]])
    const release = () =>
      askRegistry(configOf(mirror.folder), logTo([]), { request: { ask: 'release', owner: 'node:1' } })
    const released = [await release(), await mirror.images.release('node:1')]
    await evict(mirror)

    assert.deepEqual(released, [{ changed: true }, false])
    assert.deepEqual(await here(), [])
  })

  it('leaves the owner what they held when the other one cannot be had', async (t) => {
    const { mirror, upstream, injector } = await rig(t, { config: { tag_ttl: 0 } })
    const first = await pushBootable(upstream, { name: 'org/app', tag: 'v1' })
    await mirror.images.hold(await mirror.images.inspect(REFERENCE, AMD64), { owner: 'node:1' })
    await pushBootable(upstream, { name: 'org/app', tag: 'v2' })
    const second = await mirror.images.inspect('up.example/org/app:v2', AMD64)
    injector.fault(/blobs/, { status: 500 })

    const holding = mirror.images.hold(second, { owner: 'node:1' })

    await assert.rejects(holding, {
      problem: 'unreachable',
      message: 'Image up.example/org/app:v2 cannot be held: Upstream up.example answers GET for org/app with 500.',
    })
    const answer = await askRegistry(configOf(mirror.folder), logTo([]), { request: { ask: 'status' } })
    assert.deepEqual('status' in answer && answer.status.holds, {
      'node:1': [{ repository: 'up.example/org/app', digest: first.digest, tag: 'v1' }],
    })
  })

  it('ends when who waits gives up, and goes on from what has come', async (t) => {
    const { mirror, upstream, injector } = await rig(t, { patience: { stall_ms: 20_000 } })
    const { layers } = await pushBootable(upstream, { name: 'org/app', tag: 'v1' }, { sizes: [1_000_000] })
    const image = await mirror.images.inspect(REFERENCE, AMD64)
    injector.fault(/GET .*blobs/, { bytes_per_s: 400_000 })
    const giveUp = new AbortController()
    const holding = mirror.images.hold(image, {
      owner: 'node:1',
      signal: giveUp.signal,
      progress: (done) => done > 0 && giveUp.abort(new Error('The deploy was aborted.')),
    })
    await assert.rejects(holding, { message: 'The deploy was aborted.' })
    injector.heal()

    await mirror.images.hold(image, { owner: 'node:1' })

    assert.equal(image.size_bytes > (layers[0]?.length ?? 0), true)
    assert.ok(injector.bodyBytes < 1_600_000, `${injector.bodyBytes} bytes came`)
  })

  it('holds what was pushed here by the name that clients have for this registry', async (t) => {
    const { mirror } = await rig(t)
    const { digest } = await pushBootable(mirror, { name: 'team/app', tag: 'v1' })
    const reference = `127.0.0.1:${mirror.port}/team/app:v1`

    const image = await mirror.images.inspect(reference, AMD64)
    await mirror.images.hold(image, { owner: 'node:1' })

    assert.deepEqual([image.reference, image.digest], [reference, digest])
    assert.deepEqual(await mirror.images.access(image, { owner: 'node:1' }), {
      location: `127.0.0.1:${mirror.port}/team/app`,
      registry: `127.0.0.1:${mirror.port}`,
      insecure: true,
      guarded: false,
    })
    const missing = mirror.images.inspect(`127.0.0.1:${mirror.port}/team/other`, AMD64)
    await assert.rejects(missing, {
      message: `Image 127.0.0.1:${mirror.port}/team/other:latest is not here: nobody has pushed it.`,
    })
  })

  it('takes with it what it is told that the image needs', async (t) => {
    const { mirror, upstream, injector } = await rig(t)
    await pushBootable(upstream, { name: 'org/app', tag: 'v1' })
    const bound = await pushBootable(upstream, { name: 'org/bound', tag: 'v7' })
    const image = await mirror.images.inspect(REFERENCE, AMD64)

    await mirror.images.hold(image, { owner: 'node:1', with: ['up.example/org/bound:v7'] })
    injector.fault(/./, { refuses: true })

    const { status } = await mirror.ask('GET', `/v2/up.example/org/bound/blobs/${bound.layerDigests[0]}`)
    assert.equal(status, 200)
    assert.deepEqual(errorOf(await mirror.ask('GET', '/v2/up.example/org/none/manifests/v1'))[0], 503)
  })
})
