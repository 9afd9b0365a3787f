/** Garbage collection: what it removes, and all that it leaves alone. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { descriptor, IMAGE, INDEX, pushBlob, pushManifest, sha256, someBytes, testRegistry } from '../registry.ts'
import { isKept, pathOf, pushImage, run } from './asking.ts'

const EMPTY = sha256('{}')

describe('garbage collection', () => {
  it('removes the blobs of a manifest that was deleted, unless another one needs them', async (t) => {
    const registry = await testRegistry(t)
    const doomed = await pushImage(registry, 'app', 'old')
    const kept = await pushImage(registry, 'app', 'new')
    await registry.ask('DELETE', `/v2/app/manifests/${doomed.digest}`)

    const counts = await run(registry, 'gc', { grace_s: 0 })

    assert.deepEqual(
      [doomed.digest, ...doomed.layers, kept.digest, ...kept.layers, EMPTY].map((digest) => isKept(registry, digest)),
      [false, false, true, true, true],
    )
    assert.deepEqual(counts, {
      repositories: 1,
      claims_removed: 1,
      blobs_removed: 2,
      bytes_freed: 1000 + doomed.text.length,
      blobs_kept: 3,
      unreadable: 0,
    })
    assert.equal((await registry.ask('GET', `/v2/app/blobs/${doomed.layers[0]}`)).status, 404)
  })

  it('keeps what an index lists and what refers to it, tagged or not', async (t) => {
    const registry = await testRegistry(t)
    const platform = await pushImage(registry, 'app')
    const index = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [descriptor(IMAGE, platform.text)] })
    await pushManifest(registry, { name: 'app', reference: 'latest', type: INDEX }, index)
    const signature = await pushImage(registry, 'app', undefined, { subject: descriptor(INDEX, index) })

    const { blobs_removed, claims_removed } = await run(registry, 'gc', { grace_s: 0 })

    assert.deepEqual([blobs_removed, claims_removed], [0, 0])
    const { body } = await registry.ask('GET', `/v2/app/referrers/${sha256(index)}`)
    const { manifests } = JSON.parse(body.toString()) as { manifests: { digest: string }[] }
    assert.deepEqual(
      manifests.map(({ digest }) => digest),
      [signature.digest],
    )
  })

  it('keeps a blob that one repository deleted and another one needs', async (t) => {
    const registry = await testRegistry(t)
    const first = await pushImage(registry, 'first', 'v1')
    const [layer = ''] = first.layers
    await registry.ask('POST', `/v2/second/blobs/uploads/?mount=${layer}&from=first`)
    await registry.ask('POST', `/v2/second/blobs/uploads/?mount=${EMPTY}&from=first`)
    await pushManifest(registry, { name: 'second', reference: 'v1' }, first.text)
    await registry.ask('DELETE', `/v2/first/manifests/${first.digest}`)

    await run(registry, 'gc', { grace_s: 0 })

    assert.equal((await registry.ask('HEAD', `/v2/first/blobs/${layer}`)).status, 404)
    assert.equal((await registry.ask('HEAD', `/v2/second/blobs/${layer}`)).status, 200)
  })

  it('leaves alone what was pushed within the grace time, or what somebody asked for since', async (t) => {
    const registry = await testRegistry(t)
    const digest = await pushBlob(registry, 'app', someBytes())

    const { blobs_kept } = await run(registry, 'gc')

    assert.equal(blobs_kept, 1)
    assert.equal((await registry.ask('HEAD', `/v2/app/blobs/${digest}`)).status, 200)
  })

  it('leaves a repository alone that somebody uploads to', async (t) => {
    const registry = await testRegistry(t)
    const digest = await pushBlob(registry, 'app', someBytes())
    const { headers } = await registry.ask('POST', '/v2/app/blobs/uploads/')

    await run(registry, 'gc', { grace_s: 0 })
    const duringUpload = isKept(registry, digest)
    await registry.ask('DELETE', String(headers.location))
    await run(registry, 'gc', { grace_s: 0 })

    assert.deepEqual([duringUpload, isKept(registry, digest)], [true, false])
  })

  it('lets a client that is pulling a blob have it to its end', async (t) => {
    const registry = await testRegistry(t)
    const bytes = Buffer.alloc(32_000_000, 'x')
    const digest = await pushBlob(registry, 'app', bytes)
    const asked = request({ host: '127.0.0.1', port: registry.port, path: `/v2/app/blobs/${digest}` }).end()
    const [response] = (await once(asked, 'response')) as [IncomingMessage]

    await run(registry, 'gc', { grace_s: 0 })

    assert.equal(isKept(registry, digest), false)
    assert.equal(sha256(await buffer(response)), digest)
  })

  it('removes nothing from a repository in which a manifest cannot be read', async (t) => {
    const registry = await testRegistry(t)
    const image = await pushImage(registry, 'app', 'v1')
    rmSync(pathOf(registry, image.digest))

    const { unreadable, blobs_removed } = await run(registry, 'gc', { grace_s: 0 })

    assert.deepEqual([unreadable, blobs_removed, isKept(registry, image.layers[0] ?? '')], [1, 0, true])
  })
})
