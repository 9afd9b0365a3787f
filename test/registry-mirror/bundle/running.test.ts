/** Bundles of and into registries that run, by the socket of their owner. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { temporaryFolder, testRegistry } from '../registry.ts'
import { HURRIED, upstreamNamed } from '../upstream/mirror.ts'
import { exportFrom, importInto, tagImage, tagsOf } from './bundles.ts'

const NOBODY = 'http://127.0.0.1:1'

describe('a bundle for a registry that runs', () => {
  it('needs no credentials, where pushes do', async (t) => {
    const here = await testRegistry(t)
    const digest = await tagImage(here, 'app', 'v1')
    const htpasswd_file = join(temporaryFolder(t), 'htpasswd')
    writeFileSync(htpasswd_file, `alice:{SHA}${createHash('sha1').update('secret').digest('base64')}\n`)
    const there = await testRegistry(t, { htpasswd_file })

    await importInto(there, (await exportFrom(t, here, { images: ['app'] })).path)

    assert.equal((await there.ask('POST', '/v2/app/blobs/uploads/')).status, 401)
    assert.deepEqual(await tagsOf(there), { 'app:v1': digest })
  })

  it('carries what a mirror pulls to a mirror of the same upstream that cannot reach it', async (t) => {
    const upstream = await testRegistry(t)
    const digest = await tagImage(upstream, 'org/app', 'v1')
    const mirrorOf = (url: string) =>
      testRegistry(t, { upstreams: [upstreamNamed('up.example', { url })] }, { patience: HURRIED })
    const here = await mirrorOf(`http://127.0.0.1:${upstream.port}`)
    const there = await mirrorOf(NOBODY)

    // Nobody has pulled it yet: making the bundle does.
    const { path, index } = await exportFrom(t, here, { images: ['up.example/org/app:v1'] })
    await importInto(there, path)

    const { status, headers } = await there.ask('GET', '/v2/up.example/org/app/manifests/v1')
    assert.deepEqual([status, headers['docker-content-digest']], [200, digest])
    for (const blob of index.blobs)
      assert.equal((await there.ask('GET', `/v2/up.example/org/app/blobs/${blob.digest}`)).status, 200)
  })
})
