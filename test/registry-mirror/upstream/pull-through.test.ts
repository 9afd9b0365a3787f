/** Pull-through: what a client gets of an upstream's repositories, and what that costs the upstream. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { pushImage, rig } from './mirror.ts'

describe('a cold pull through the mirror', () => {
  it("is the upstream's image, byte by byte", async (t) => {
    const { mirror, upstream } = await rig(t)
    const { manifest, digest, layer, layerDigest } = await pushImage(upstream, { name: 'org/app', tag: 'v1' })

    const tagged = await mirror.ask('GET', '/v2/up.example/org/app/manifests/v1')
    const blob = await mirror.ask('GET', `/v2/up.example/org/app/blobs/${layerDigest}`)

    assert.deepEqual([tagged.status, tagged.headers['docker-content-digest']], [200, digest])
    assert.equal(tagged.body.toString(), manifest)
    assert.equal(blob.status, 200)
    assert.deepEqual(blob.body, layer)
  })
})
