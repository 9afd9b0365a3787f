/** Sync sets: images that are in the mirror before anybody asks for them. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { askRegistry } from '../../../registry-mirror/index.ts'
import { configOf, IMAGE, INDEX, logTo, pushManifest } from '../registry.ts'
import { pushImage, type Rig, rig, until } from './mirror.ts'

const CONFIG = { tag_ttl: 0, sync: ['org/app:v1', 'org/other:1.*'], sync_platforms: ['linux/amd64'] }

async function syncRig(t: TestContext): Promise<Rig & { sync(): Promise<unknown> }> {
  const rigged = await rig(t, { config: CONFIG })
  const request = { ask: 'run', job: 'sync' } as const
  const sync = () => askRegistry(configOf(rigged.mirror.folder), logTo([]), { request })
  return { ...rigged, sync }
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
    assert.deepEqual([counts.images, counts.fetched_blobs], [3, 5])
  })

  it('costs the upstream one HEAD for each tag when nothing is new', async (t) => {
    const { upstream, injector, sync, mirror } = await syncRig(t)
    await pushImage(upstream, { name: 'org/app', tag: 'v1' })
    await pushImage(upstream, { name: 'org/other', tag: '1.0' })
    await sync()
    await until(() => mirror.lines.filter(({ message }) => message === 'blob pulled').length === 3)
    injector.forget()

    await sync()

    assert.deepEqual(injector.lines(), [
      'HEAD /v2/org/app/manifests/v1',
      'GET /v2/org/other/tags/list',
      'HEAD /v2/org/other/manifests/1.0',
    ])
  })

  it('has failed when one of its images cannot be had, and fetches the others all the same', async (t) => {
    const { mirror, upstream, sync } = await syncRig(t)
    const { digest } = await pushImage(upstream, { name: 'org/other', tag: '1.0' })

    await assert.rejects(sync(), {
      message:
        '1 images are as the upstream has them; 1 are not, such as up.example/org/app:v1: The upstream has no such tag.',
    })

    const { headers } = await mirror.ask('HEAD', '/v2/up.example/org/other/manifests/1.0')
    assert.equal(headers['docker-content-digest'], digest)
  })
})
