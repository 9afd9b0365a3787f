/**
 * What is kept is kept whole: whatever a descriptor refers to counts, whatever its media type, for all that walks
 * from manifest to content.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { exportFrom, importInto } from '../bundle/bundles.ts'
import { IMAGE, INDEX, pushBlob, pushManifest, sha256, someBytes, testRegistry } from '../registry.ts'
import { rig } from '../upstream/mirror.ts'
import { run } from './asking.ts'
import { answeredBy, DOCKER_LIST, pushBuildCache, pushOddGraph } from './odd-graphs.ts'

describe('a build cache of BuildKit', () => {
  for (const type of [INDEX, DOCKER_LIST])
    it(`survives garbage collection with all of its layers, as ${type}`, async (t) => {
      const registry = await testRegistry(t)
      const cache = await pushBuildCache(registry, { name: 'org/app', tag: 'cache', type })

      const { claims_removed, blobs_removed } = await run(registry, 'gc', { grace_s: 0 })

      assert.deepEqual([claims_removed, blobs_removed], [0, 0])
      assert.deepEqual(
        await answeredBy(registry, 'org/app', [cache.digest, ...cache.blobs]),
        [`manifests ${cache.digest}`, ...cache.blobs.map((digest) => `blobs ${digest}`)].sort(),
      )
    })

  it('goes with its index, once nobody names it', async (t) => {
    const registry = await testRegistry(t)
    const cache = await pushBuildCache(registry, { name: 'org/app', tag: 'cache' })
    await registry.ask('DELETE', `/v2/org/app/manifests/${cache.digest}`)

    const { blobs_removed } = await run(registry, 'gc', { grace_s: 0 })

    assert.equal(blobs_removed, 5)
    assert.deepEqual(await answeredBy(registry, 'org/app', [cache.digest, ...cache.blobs]), [])
  })

  it('is carried by a bundle, and is whole at the other end', async (t) => {
    const [from, to] = [await testRegistry(t), await testRegistry(t)]
    const cache = await pushBuildCache(from, { name: 'org/app', tag: 'cache' })

    const { path, index } = await exportFrom(t, from, { images: ['org/app:cache'] })
    await importInto(to, path)
    await run(to, 'gc', { grace_s: 0 })

    assert.deepEqual(index.blobs.map(({ digest }) => digest).sort(), cache.blobs.toSorted())
    const all = [cache.digest, ...cache.blobs]
    assert.deepEqual(await answeredBy(to, 'org/app', all), await answeredBy(from, 'org/app', all))
  })

  it('comes whole through a mirror, fetched ahead of need for some platform', async (t) => {
    const config = { sync: ['org/app:cache'], sync_platforms: ['linux/amd64'] }
    const { mirror, upstream, injector } = await rig(t, { config })
    const cache = await pushBuildCache(upstream, { name: 'org/app', tag: 'cache' })

    await run(mirror, 'sync:up.example')
    await run(mirror, 'gc', { grace_s: 0 })
    injector.fault(/./, { refuses: true })

    const all = [cache.digest, ...cache.blobs]
    assert.deepEqual(
      await answeredBy(mirror, 'up.example/org/app', all),
      [`manifests ${cache.digest}`, ...cache.blobs.map((digest) => `blobs ${digest}`)].sort(),
    )
  })

  it('that lacks a layer makes no bundle, which names it', async (t) => {
    const registry = await testRegistry(t)
    const cache = await pushBuildCache(registry, { name: 'org/app', tag: 'cache' })
    const [layer] = cache.blobs
    await registry.ask('DELETE', `/v2/org/app/blobs/${layer}`)

    await assert.rejects(exportFrom(t, registry, { images: ['org/app:cache'] }), {
      message: `Repository org/app lacks ${layer}, which its manifest ${cache.digest} refers to. Push or pull it whole first.`,
    })
  })
})

describe('an index that has nothing of what it lists', () => {
  it('makes no bundle of nothing', async (t) => {
    const registry = await testRegistry(t)
    const index = JSON.stringify({
      schemaVersion: 2,
      mediaType: INDEX,
      manifests: [{ mediaType: IMAGE, digest: sha256('elsewhere'), size: 9 }],
    })
    await pushManifest(registry, { name: 'org/app', reference: 'sparse', type: INDEX }, index)

    await assert.rejects(exportFrom(t, registry, { images: ['org/app:sparse'] }), {
      message: `Repository org/app lacks ${sha256('elsewhere')}, which its manifest ${sha256(index)} refers to. Push or pull it whole first.`,
    })
  })
})

describe('graphs of manifests and blobs as nobody thought of them', { concurrency: 4 }, () => {
  for (const seed of [1, 2, 3])
    it(`keep all that a tag leads to and nothing else, here and through a bundle (seed ${seed})`, async (t) => {
      const [registry, other] = [await testRegistry(t), await testRegistry(t)]
      const pushed = await pushOddGraph(registry, 'org/app', { seed, count: 9 })
      const stray = await pushBlob(registry, 'org/app', someBytes())
      const doomed = pushed.filter((_, at) => at % 3 === 0)
      const tagged = pushed.filter((_, at) => at % 3 !== 0).filter((_, at) => at % 2 === 0)
      for (const [at, { text, type }] of tagged.entries())
        await pushManifest(registry, { name: 'org/app', reference: `v${at}`, type }, text)
      const reached = new Set(tagged.flatMap(({ reaches }) => [...reaches]))
      const whole = await answeredBy(registry, 'org/app', reached)
      // As an operator cleans up: what no tag leads to is deleted.
      const unreached = new Set<string>([stray])
      for (const { descriptor, reaches } of pushed) {
        if (reached.has(descriptor.digest)) continue
        for (const one of reaches) if (!reached.has(one)) unreached.add(one)
        await registry.ask('DELETE', `/v2/org/app/manifests/${descriptor.digest}`)
      }

      await run(registry, 'gc', { grace_s: 0 })
      await run(registry, 'evict')
      const { path } = await exportFrom(t, registry, { images: ['org/app'] })
      await importInto(other, path)
      await run(other, 'gc', { grace_s: 0 })

      assert.ok(doomed.length > 0 && whole.length > reached.size * 0.9)
      assert.deepEqual(await answeredBy(registry, 'org/app', reached), whole)
      assert.deepEqual(await answeredBy(registry, 'org/app', unreached), [])
      assert.deepEqual(await answeredBy(other, 'org/app', reached), whole)
    })
})
