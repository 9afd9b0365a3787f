/** From one registry into another, over a file. */
import assert from 'node:assert/strict'
import { createReadStream, createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { describe, it } from 'node:test'
import { exportBundle, importBundle, planBundle, withRegistry } from '../../../registry-mirror/index.ts'
import { configOf, imageIn, logTo, pushManifest, sha256, temporaryFolder, testRegistry } from '../registry.ts'

describe('a bundle', () => {
  it('carries a tag to another registry', async (t) => {
    const here = await testRegistry(t)
    const text = await imageIn(here, 'org/app')
    await pushManifest(here, { name: 'org/app', reference: 'v1' }, text)
    const path = join(temporaryFolder(t), 'bundle.tar')
    const there = await testRegistry(t)

    await withRegistry({ ...configOf(here.folder), port: here.port }, logTo([]), async (client) => {
      const index = await planBundle(client, { images: ['org/app:v1'], platforms: [], referrers: true }, new Date())
      await pipeline(exportBundle(client, index), createWriteStream(path))
    })
    const result = await withRegistry({ ...configOf(there.folder), port: there.port }, logTo([]), (client) =>
      importBundle(client, createReadStream(path), { storage_path: there.folder }),
    )

    assert.deepEqual(result, { blobs: 2, blobs_there: 0, manifests: 1, manifests_there: 0, tags: 1 })
    const { body } = await there.ask('GET', '/v2/org/app/manifests/v1')
    assert.equal(sha256(body), sha256(text))
  })
})
