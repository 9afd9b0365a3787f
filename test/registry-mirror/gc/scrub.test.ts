/** Scrub: finds damage on the disk, takes it away, and tells of it; and the jobs and commands that it is run by. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type AdminRequest, askRegistry, startRegistry } from '../../../registry-mirror/index.ts'
import {
  askPort,
  configOf,
  errorOf,
  logTo,
  pushBlob,
  pushManifest,
  sha256,
  someBytes,
  temporaryFolder,
  testRegistry,
} from '../registry.ts'
import { ask, list, pathOf, pushImage, run } from './asking.ts'

describe('scrub', () => {
  it('moves content that does not match its digest away, and tells of it', async (t) => {
    const registry = await testRegistry(t)
    const { layers, digest } = await pushImage(registry, 'app', 'v1')
    const [layer = ''] = layers
    writeFileSync(pathOf(registry, layer), 'damaged')

    const counts = await run(registry, 'scrub')

    assert.deepEqual([counts.blobs, counts.damaged, counts.repaired], [3, 1, 0])
    assert.equal(readFileSync(join(registry.folder, 'quarantine', layer.replace(':', '-')), 'utf8'), 'damaged')
    assert.equal((await registry.ask('GET', `/v2/app/blobs/${layer}`)).status, 404)
    assert.equal((await registry.ask('GET', `/v2/app/manifests/${digest}`)).status, 200)
    const line = registry.lines.find(({ message }) => message === 'content is damaged')
    assert.deepEqual([line?.level, line?.digest], ['error', layer])
  })

  it('finds a file that ends early, and a damaged manifest that memory still has', async (t) => {
    const registry = await testRegistry(t)
    const { layers, digest } = await pushImage(registry, 'app', 'v1')
    await registry.ask('GET', '/v2/app/manifests/v1')
    truncateSync(pathOf(registry, layers[0] ?? ''), 10)
    writeFileSync(pathOf(registry, digest), '{}')

    const { damaged } = await run(registry, 'scrub')

    assert.equal(damaged, 2)
    assert.equal((await registry.ask('GET', '/v2/app/manifests/v1')).status, 404)
  })

  it('lets whoever pushes damaged content again make it good for all', async (t) => {
    const registry = await testRegistry(t)
    const bytes = someBytes()
    const image = await pushImage(registry, 'app', 'v1')
    const digest = await pushBlob(registry, 'first', bytes)
    await registry.ask('POST', `/v2/second/blobs/uploads/?mount=${digest}&from=first`)
    writeFileSync(pathOf(registry, digest), 'damaged')
    writeFileSync(pathOf(registry, image.layers[0] ?? ''), 'damaged')
    await run(registry, 'scrub')

    const refused = await pushManifest(registry, { name: 'app', reference: 'v1' }, image.text)
    await pushBlob(registry, 'first', bytes)

    assert.deepEqual(errorOf(refused).slice(0, 2), [400, 'MANIFEST_BLOB_UNKNOWN'])
    assert.equal((await registry.ask('GET', `/v2/second/blobs/${digest}`)).body.compare(bytes), 0)
  })

  it('reads no faster than it may', async (t) => {
    const registry = await testRegistry(t)
    await pushBlob(registry, 'app', Buffer.alloc(1_500_000))
    const began = performance.now()

    await run(registry, 'scrub', { rate: 2 })

    const took_ms = performance.now() - began
    assert.ok(took_ms > 600 && took_ms < 5000, `1.5 MB at 2 MiB/s took ${took_ms} ms`)
  })
})

describe('the jobs of a registry', () => {
  it('tell when they ran, when they will, and what came of it, also after a restart', async (t) => {
    const registry = await testRegistry(t, { scrub_interval: 1000 })
    const before = Date.now()
    await pushImage(registry, 'app', 'v1')
    await run(registry, 'scrub')
    await registry.restart()

    const { jobs, used_bytes, repositories } = (await ask(registry, { ask: 'status' })).status as Status

    const scrub = jobs.find(({ name }) => name === 'scrub')
    assert.match(String(scrub?.result), /^blobs 3, bytes \d+, damaged 0, repaired 0$/)
    assert.ok(Date.parse(scrub?.last_run ?? '') >= before)
    assert.equal(Date.parse(scrub?.next_run ?? ''), Date.parse(scrub?.last_run ?? '') + 1_000_000)
    assert.deepEqual([repositories, used_bytes > 1000], [1, true])
    assert.deepEqual(
      jobs.slice(0, 3).map(({ name, interval_s }) => [name, interval_s]),
      [
        ['gc', 86400],
        ['scrub', 1000],
        ['evict', 0],
      ],
    )
  })

  it('refuse what they do not know', async (t) => {
    const registry = await testRegistry(t)

    await assert.rejects(ask(registry, { ask: 'run', job: 'tidy' }), {
      name: 'RegistryError',
      message: /^There is no job 'tidy': expected one of gc, scrub, evict/,
    })
  })

  it('share one run', async (t) => {
    const registry = await testRegistry(t)
    await pushBlob(registry, 'app', someBytes())

    const [first, second] = await Promise.all([run(registry, 'scrub'), run(registry, 'scrub')])

    assert.deepEqual(first, second)
    assert.equal(registry.lines.filter(({ message }) => message === 'job finished').length, 1)
  })
})

type Status = {
  jobs: { name: string; interval_s: number; result?: string; last_run?: string; next_run?: string }[]
  used_bytes: number
  repositories: number
}

describe('asking a registry', () => {
  it('is for the owner of its folder alone', async (t) => {
    const registry = await testRegistry(t)

    assert.equal(statSync(join(registry.folder, 'admin.sock')).mode & 0o777, 0o600)
  })

  it('lists what it keeps, by tag, and by digest what has none', async (t) => {
    const registry = await testRegistry(t)
    const tagged = await pushImage(registry, 'group/app', 'v1')
    const bare = await pushImage(registry, 'group/app')
    await pushImage(registry, 'other', 'v1')
    await ask(registry, { ask: 'pin', target: 'group/app:v1' })

    const listed = await list(registry, 'group')

    const row = { repository: 'group/app', origin: 'pushed' }
    const size_bytes = 1000 + 2 + tagged.text.length
    assert.deepEqual(listed, [
      { ...row, digest: bare.digest, size_bytes, pinned: false },
      { ...row, tag: 'v1', digest: tagged.digest, size_bytes, pinned: true },
    ])
  })

  it('works on the folder when no registry runs', async (t) => {
    const config = configOf(temporaryFolder(t))
    const bytes = someBytes()
    const blob = join(config.storage_path, 'blobs', sha256(bytes).replace(':', '/'))
    const running = await startRegistry(config, logTo([]))
    await askPort(running.port, 'POST', `/v2/app/blobs/uploads/?digest=${sha256(bytes)}`, { body: bytes })
    await running.stop()
    const asked = (request: AdminRequest) => askRegistry(config, logTo([]), { request })

    const pinned = await asked({ ask: 'pin', target: 'app' })
    const wasKept = existsSync(blob)
    await asked({ ask: 'run', job: 'gc', options: { grace_s: 0 } })

    assert.deepEqual(pinned, { changed: true })
    assert.deepEqual([wasKept, existsSync(blob)], [true, false])
    assert.equal(existsSync(join(config.storage_path, 'admin.sock')), false)
  })

  it('refuses to pin what names nothing', async (t) => {
    const registry = await testRegistry(t)

    await assert.rejects(ask(registry, { ask: 'pin', target: '../etc' }), {
      message:
        "'../etc' names nothing here: expected REPOSITORY, REPOSITORY:TAG or REPOSITORY@DIGEST, such as docker.io/library/debian:12.",
    })
  })
})
