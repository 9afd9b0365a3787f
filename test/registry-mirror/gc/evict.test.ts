/** The quota: what is evicted, in which order, and what never is. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { evict } from '../../../registry-mirror/gc/evict.ts'
import { allowedBytes } from '../../../registry-mirror/gc/maintenance.ts'
import type { Digest } from '../../../registry-mirror/oci/digest.ts'
import { parseManifest } from '../../../registry-mirror/oci/manifest.ts'
import { RegistryState } from '../../../registry-mirror/storage/state.ts'
import type { Storage } from '../../../registry-mirror/storage/storage.ts'
import { someBytes } from '../registry.ts'
import { addImage, addIndex, LAYER_BYTES, openFolder } from './filled-storage.ts'

/** Room for so many layers; everything may be evicted that was used before now. */
const keepLayers = (storage: Storage, layers: number, grace_s = 0) =>
  evict(storage, {
    quota_bytes: (layers + 0.5) * LAYER_BYTES,
    spare_s: 0,
    grace_s,
    signal: AbortSignal.timeout(10_000),
    progress: () => {},
  })

const areKept = (storage: Storage, digests: readonly Digest[]) =>
  Promise.all(digests.map(async (digest) => (await storage.blobs.sizeOf(digest)) !== undefined))

describe('the quota of a registry', () => {
  it('is kept by evicting what was not used for longest, with its tags', async (t) => {
    const storage = await openFolder(t)
    const images = []
    for (const [index, tag] of ['a', 'b', 'c', 'd'].entries())
      images.push(await addImage(storage, { name: 'up/app', tag, pulled: true, used: [300, 100, 400, 200][index] }))

    const { manifests_evicted, bytes_freed } = await keepLayers(storage, 2)

    const layers = images.map(({ layer }) => layer)
    assert.deepEqual(await areKept(storage, layers), [true, false, true, false])
    assert.equal(manifests_evicted, 2)
    assert.ok(bytes_freed > 2 * LAYER_BYTES)
    assert.deepEqual(await storage.repositories.tags(images[0]?.name ?? ('' as never)), ['a', 'c'])
  })

  it('evicts nothing below it', async (t) => {
    const storage = await openFolder(t)
    const { layer } = await addImage(storage, { name: 'up/app', tag: 'v1', pulled: true, used: 1 })

    const { manifests_evicted } = await keepLayers(storage, 1)

    assert.equal(manifests_evicted, 0)
    assert.deepEqual(await areKept(storage, [layer]), [true])
  })

  it('never evicts what was pushed, not even what was pulled before and pushed then', async (t) => {
    const storage = await openFolder(t)
    const pushed = await addImage(storage, { name: 'app', tag: 'v1', pulled: false, used: 1 })
    const both = await addImage(storage, { name: 'up/app', tag: 'v1', pulled: true, used: 1 })
    await storage.state.pushed(both.name, both.digest)

    const { manifests_evicted } = await keepLayers(storage, 0)

    assert.equal(manifests_evicted, 0)
    assert.deepEqual(
      await areKept(storage, [pushed.digest, pushed.layer, both.digest, both.layer]),
      Array(4).fill(true),
    )
  })

  it('does not evict what is being pushed at that moment', async (t) => {
    const storage = await openFolder(t)
    const { name, digest, text } = await addImage(storage, { name: 'up/app', tag: 'v1', pulled: true, used: 1 })
    const manifest = parseManifest(Buffer.from(text))
    // Until it is over, nobody else can change the repository: evict looks before, and comes to it after the push.
    let isOver = () => {}
    const busy = storage.mutex.run(name, () => new Promise<void>((resolve) => (isOver = resolve)))
    const evicting = keepLayers(storage, 0)
    await storage.state.pushed(name, digest)
    const pushing = storage.manifests.push({ name, digest, bytes: Buffer.from(text), manifest, tags: [] })
    isOver()

    await Promise.all([busy, evicting, pushing])

    assert.notEqual(await storage.manifests.byDigest(name, digest), undefined)
  })

  for (const target of ['up/app', 'up/app:v1', 'up/app@DIGEST']) {
    it(`never evicts what is pinned as ${target}`, async (t) => {
      const storage = await openFolder(t)
      const pinned = await addImage(storage, { name: 'up/app', tag: 'v1', pulled: true, used: 1 })
      const other = await addImage(storage, { name: 'up/other', tag: 'v1', pulled: true, used: 2 })
      await storage.state.pin(target.replace('DIGEST', pinned.digest), true)

      await keepLayers(storage, 0)

      assert.deepEqual(await areKept(storage, [pinned.layer, other.layer]), [true, false])
    })
  }

  it('keeps the platforms and the signatures of a pinned index', async (t) => {
    const storage = await openFolder(t)
    const name = 'up/app'
    const platform = await addImage(storage, { name, pulled: true, used: 1 })
    const index = await addIndex(storage, [platform], { name, tag: 'v1', pulled: true, used: 1 })
    const subject = { mediaType: 'application/vnd.oci.image.index.v1+json', digest: index, size: 1 }
    const signature = await addImage(storage, { name, pulled: true, used: 1, more: { subject } })
    await storage.state.pin('up/app:v1', true)

    await keepLayers(storage, 0)

    assert.deepEqual(await areKept(storage, [index, platform.layer, signature.layer]), [true, true, true])
  })

  it('counts the use of an index for its platforms', async (t) => {
    const storage = await openFolder(t)
    const platform = await addImage(storage, { name: 'up/app', pulled: true, used: 1 })
    const index = await addIndex(storage, [platform], { name: 'up/app', tag: 'v1', pulled: true, used: 900 })
    const other = await addImage(storage, { name: 'up/other', tag: 'v1', pulled: true, used: 500 })

    await keepLayers(storage, 1)

    assert.deepEqual(await areKept(storage, [index, platform.layer, other.layer]), [true, true, false])
  })

  it('keeps a layer that a pushed image shares with an evicted one', async (t) => {
    const storage = await openFolder(t)
    const layer = someBytes(LAYER_BYTES)
    const pulled = await addImage(storage, { name: 'up/app', tag: 'v1', pulled: true, used: 1, layer })
    const pushed = await addImage(storage, { name: 'app', tag: 'v1', pulled: false, layer, more: { annotations: {} } })

    await keepLayers(storage, 0)

    assert.deepEqual(await areKept(storage, [pulled.digest, pushed.digest, pushed.layer]), [false, true, true])
  })

  it('leaves alone what was used just now', async (t) => {
    const storage = await openFolder(t)
    const { layer } = await addImage(storage, { name: 'up/app', tag: 'v1', pulled: true })

    await evict(storage, {
      quota_bytes: 1,
      spare_s: 600,
      grace_s: 0,
      signal: AbortSignal.timeout(10_000),
      progress: () => {},
    })

    assert.deepEqual(await areKept(storage, [layer]), [true])
  })

  it('is narrowed by a disk that has less room than [registry] min_free', () => {
    const of = (quota_bytes: number, min_free_bytes: number) =>
      allowedBytes({ quota_bytes, min_free_bytes, free_bytes: 100, used_bytes: 1000 })

    assert.deepEqual(
      [of(0, 0), of(5000, 50), of(0, 300), of(700, 300), of(900, 300), of(0, 2000)],
      [Number.MAX_SAFE_INTEGER, 5000, 800, 700, 800, 0],
    )
  })

  it('remembers pins and origins through a crash, and forgets no pin that was acknowledged', async (t) => {
    const storage = await openFolder(t)
    const { name, digest } = await addImage(storage, { name: 'up/app', tag: 'v1', pulled: true })
    await storage.state.pin('up/app:v1', true)

    // Nothing is closed: what is on the disk now is all that a crash leaves.
    const after = await RegistryState.open(storage.disk)

    assert.deepEqual([Object.keys(after.pins), after.originOf(name, digest)], [['up/app:v1'], 'pulled'])
  })
})
