/** From one registry into another, over a file. */
import assert from 'node:assert/strict'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { importBundle, planBundle, saveBundle, sourceOf, withRegistry } from '../../../registry-mirror/index.ts'
import { configOf, imageIn, logTo, pushManifest, sha256, temporaryFolder, testRegistry } from '../registry.ts'

describe('a bundle', () => {
  it('carries a tag to another registry', async (t) => {
    const here = await testRegistry(t)
    const text = await imageIn(here, 'org/app')
    await pushManifest(here, { name: 'org/app', reference: 'v1' }, text)
    const path = join(temporaryFolder(t), 'bundle.tar')
    const there = await testRegistry(t)

    await withRegistry({ ...configOf(here.folder), port: here.port }, logTo([]), async (client) => {
      const index = await planBundle(client, { images: ['org/app:v1'] })
      await saveBundle(path, index, sourceOf(client))
    })
    const result = await withRegistry({ ...configOf(there.folder), port: there.port }, logTo([]), (client) =>
      importBundle(client, createReadStream(path), { storage_path: there.folder }),
    )

    assert.deepEqual(result, {
      blobs: { taken: 2, there: 0 },
      manifests: { taken: 1, there: 0 },
      tags: { taken: 1, there: 0 },
      files: { taken: 0, there: 0 },
    })
    const { body } = await there.ask('GET', '/v2/org/app/manifests/v1')
    assert.equal(sha256(body), sha256(text))
  })
})
