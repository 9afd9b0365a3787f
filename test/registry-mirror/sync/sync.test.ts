/** Sync sets: images that are in the mirror before anybody asks for them. */
import assert from 'node:assert/strict'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { type AdminAnswer, type AdminRequest, askRegistry } from '../../../registry-mirror/index.ts'
import {
  configOf,
  descriptor,
  IMAGE,
  INDEX,
  logTo,
  pushBlob,
  pushManifest,
  sha256,
  temporaryFolder,
  testRegistry,
} from '../registry.ts'
import { pushImage, type Rig, rig, until, upstreamNamed } from '../upstream/mirror.ts'

const CONFIG = { tag_ttl: 0, sync: ['org/app:v1', 'org/other:1.*'], sync_platforms: ['linux/amd64'] }

type SyncRig = Rig & { ask(request: AdminRequest): Promise<AdminAnswer>; sync(): Promise<AdminAnswer> }

async function syncRig(t: TestContext): Promise<SyncRig> {
  const rigged = await rig(t, { config: CONFIG })
  const ask = (request: AdminRequest) => askRegistry(configOf(rigged.mirror.folder), logTo([]), { request })
  return { ...rigged, ask, sync: () => ask({ ask: 'run', job: 'sync:up.example' }) }
}

describe('a sync set', () => {
  it('is here when the upstream is dead: the tags that are named, for the platforms that are', async (t) => {
    const { mirror, upstream, injector, sync } = await syncRig(t)
    const amd64 = await pushImage(upstream, { name: 'org/app', tag: 'amd64' })
    const arm64 = await pushImage(upstream, { name: 'org/app', tag: 'arm64' })
    const manifests = Object.entries({ amd64, arm64 }).map(([architecture, { digest, manifest }]) => {
      return { mediaType: IMAGE, digest, size: manifest.length, platform: { os: 'linux', architecture } }
    })
    const index = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests })
    await pushManifest(upstream, { name: 'org/app', reference: 'v1', type: INDEX }, index)
    for (const tag of ['1.0', '1.1', '2.0']) await pushImage(upstream, { name: 'org/other', tag, size: 100 })

    const { counts } = (await sync()) as { counts: Record<string, number> }
    await until(() => mirror.lines.filter(({ message }) => message === 'blob pulled').length === 4)
    injector.fault(/./, { refuses: true })
    const statuses: Record<string, number> = {}
    for (const path of [
      'org/app/manifests/v1',
      `org/app/manifests/${amd64.digest}`,
      `org/app/blobs/${amd64.layerDigest}`,
      `org/app/blobs/${arm64.layerDigest}`,
      'org/other/manifests/1.0',
      'org/other/manifests/1.1',
      'org/other/manifests/2.0',
    ])
      statuses[path] = (await mirror.ask('GET', `/v2/up.example/${path}`)).status

    assert.deepEqual(Object.values(statuses), [200, 200, 200, 503, 200, 200, 503])
    assert.deepEqual([counts.images, counts.fetched_blobs], [3, 4])
  })

  it('costs the upstream one HEAD and one list of referrers for each tag when nothing is new', async (t) => {
    const { upstream, injector, sync, mirror } = await syncRig(t)
    const app = await pushImage(upstream, { name: 'org/app', tag: 'v1' })
    const other = await pushImage(upstream, { name: 'org/other', tag: '1.0' })
    await sync()
    await until(() => mirror.lines.filter(({ message }) => message === 'blob pulled').length === 3)
    injector.forget()

    await sync()

    assert.deepEqual(injector.lines().toSorted(), [
      `GET /v2/org/app/referrers/${app.digest}`,
      `GET /v2/org/other/referrers/${other.digest}`,
      'GET /v2/org/other/tags/list',
      'HEAD /v2/org/app/manifests/v1',
      'HEAD /v2/org/other/manifests/1.0',
    ])
  })

  it('sees all tags of an upstream that tells a few at a time', async (t) => {
    const upstream = await testRegistry(t)
    const pages: string[] = []
    const server = createServer(({ method, url = '' }, response) => {
      const isFirst = url.endsWith('/tags/list')
      if (url.includes('/tags/list')) pages.push(url)
      const path = isFirst ? `${url}?n=2` : url
      request({ host: '127.0.0.1', port: upstream.port, method, path }, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers)
        answer.pipe(response)
      }).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.after(() => {
      server.close()
      server.closeAllConnections()
    })
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const upstreams = [upstreamNamed('up.example', { url, sync: ['org/other:1.*'] })]
    const mirror = await testRegistry(t, { upstreams })
    const tags = ['1.0', '1.1', '1.2', '1.3', '1.4', '2.0']
    for (const tag of tags) await pushImage(upstream, { name: 'org/other', tag, size: 100 })

    const answer = await askRegistry(configOf(mirror.folder), logTo([]), {
      request: { ask: 'run', job: 'sync:up.example' },
    })

    assert.equal('counts' in answer && answer.counts.images, 5)
    assert.equal(pages.length, 3)
    const { json } = await mirror.ask('GET', '/v2/up.example/org/other/tags/list')
    assert.deepEqual(json?.tags, tags)
  })

  it('has failed when one of its images cannot be had, and fetches the others all the same', async (t) => {
    const { mirror, upstream, sync } = await syncRig(t)
    const { digest } = await pushImage(upstream, { name: 'org/other', tag: '1.0' })

    await assert.rejects(sync(), {
      message: '1 images are as the upstream has them; 1 are not: up.example/org/app:v1: The upstream has no such tag.',
    })

    const { headers } = await mirror.ask('HEAD', '/v2/up.example/org/other/manifests/1.0')
    assert.equal(headers['docker-content-digest'], digest)
  })
})

describe('what a sync set names', () => {
  it('is here with what refers to it, such as signatures', async (t) => {
    const { mirror, upstream, injector, sync } = await syncRig(t)
    const { digest, manifest } = await pushImage(upstream, { name: 'org/app', tag: 'v1', size: 100 })
    const signature = Buffer.from('signed')
    const blob = await pushBlob(upstream, 'org/app', signature)
    const empty = Buffer.from('{}')
    await pushBlob(upstream, 'org/app', empty)
    const referrer = JSON.stringify({
      schemaVersion: 2,
      mediaType: IMAGE,
      artifactType: 'application/vnd.example.signature',
      config: descriptor('application/vnd.oci.empty.v1+json', empty),
      layers: [descriptor('application/octet-stream', signature)],
      subject: { mediaType: IMAGE, digest, size: manifest.length },
    })
    await pushManifest(upstream, { name: 'org/app', reference: sha256(referrer) }, referrer)
    await pushImage(upstream, { name: 'org/other', tag: '1.0', size: 100 })

    await sync()
    injector.fault(/./, { refuses: true })

    const { json } = await mirror.ask('GET', `/v2/up.example/org/app/referrers/${digest}`)
    assert.deepEqual(
      (json?.manifests as { digest: string }[] | undefined)?.map((one) => one.digest),
      [sha256(referrer)],
    )
    assert.deepEqual((await mirror.ask('GET', `/v2/up.example/org/app/blobs/${blob}`)).body, signature)
  })

  it('is never evicted while it is named, and may be once it is not', async (t) => {
    const { mirror, upstream, sync, ask } = await syncRig(t)
    await pushImage(upstream, { name: 'org/app', tag: 'v1' })
    for (const tag of ['1.0', '1.1']) await pushImage(upstream, { name: 'org/other', tag })
    const evict = () => ask({ ask: 'run', job: 'evict', options: { quota_bytes: 1, spare_s: -1, grace_s: 0 } })
    const listed = async () => {
      const answer = await ask({ ask: 'list' })
      return 'list' in answer ? answer.list.map(({ repository, tag, pinned }) => [`${repository}:${tag}`, pinned]) : []
    }
    await sync()
    await evict()
    const before = await listed()

    await upstream.ask('DELETE', '/v2/org/other/manifests/1.0')
    await sync()
    await evict()

    assert.deepEqual(before, [
      ['up.example/org/app:v1', true],
      ['up.example/org/other:1.0', true],
      ['up.example/org/other:1.1', true],
    ])
    assert.deepEqual(await listed(), [
      ['up.example/org/app:v1', true],
      ['up.example/org/other:1.1', true],
    ])
    assert.equal(mirror.lines.filter(({ message }) => message === 'job failed').length, 0)
  })

  it('stays, is served and kept when the upstream is dead, which the result and the status tell', async (t) => {
    const { mirror, upstream, injector, sync, ask } = await syncRig(t)
    await pushImage(upstream, { name: 'org/app', tag: 'v1', size: 100 })
    await pushImage(upstream, { name: 'org/other', tag: '1.0', size: 100 })
    await sync()
    injector.fault(/./, { refuses: true })

    const message = await sync().then(
      () => '',
      (error: Error) => error.message,
    )
    const answer = await ask({ ask: 'status' })
    const job = 'status' in answer ? answer.status.jobs.find(({ name }) => name === 'sync:up.example') : undefined
    const { status } = await mirror.ask('GET', '/v2/up.example/org/other/manifests/1.0')
    const list = await ask({ ask: 'list' })

    assert.match(
      message,
      /^0 images are as the upstream has them; 2 are not: up\.example\/org\/app:v1: .*org\/other:1\.0: /,
    )
    assert.deepEqual([job?.failed, job?.result], [true, message])
    assert.equal(status, 200)
    assert.deepEqual('list' in list && list.list.map(({ pinned }) => pinned), [true, true])
  })

  it('is let go when the set is no longer configured, but not what the operator pinned', async (t) => {
    const { upstream, injector } = await rig(t)
    await pushImage(upstream, { name: 'org/app', tag: 'v1', size: 100 })
    await pushImage(upstream, { name: 'org/other', tag: '1.0', size: 100 })
    const folder = temporaryFolder(t)
    const ask = (values: Record<string, unknown>, request: AdminRequest) => {
      const upstreams = [upstreamNamed('up.example', { url: injector.url, ...values })]
      return askRegistry({ ...configOf(folder), upstreams }, logTo([]), { request })
    }
    await ask(CONFIG, { ask: 'run', job: 'sync:up.example' })
    await ask(CONFIG, { ask: 'pin', target: 'up.example/org/app:v1' })

    const list = await ask({}, { ask: 'list' })

    assert.deepEqual('list' in list && list.list.map(({ repository, pinned }) => [repository, pinned]), [
      ['up.example/org/app', true],
      ['up.example/org/other', false],
    ])
  })
})
