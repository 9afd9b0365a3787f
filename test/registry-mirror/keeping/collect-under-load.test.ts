/** Garbage collection without any grace, again and again, while clients push, mount, delete and pull the same few blobs. */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { describe, it } from 'node:test'
import { descriptor, IMAGE, pushBlob, pushManifest, sha256, type TestRegistry, testRegistry } from '../registry.ts'
import { run } from './asking.ts'

const CLIENTS = 4
const IMAGES_EACH = 40
/** Few, so that what one client deletes another one is pushing. */
const LAYERS = Array.from({ length: 6 }, (_, index) => Buffer.alloc(2000 + index, index + 1))
const ATTEMPTS = 50

const manifestOf = (layers: readonly Buffer[], name: string, nonce: number) =>
  JSON.stringify({
    schemaVersion: 2,
    mediaType: IMAGE,
    config: descriptor('application/vnd.oci.empty.v1+json', '{}'),
    layers: layers.map((layer) => descriptor('application/octet-stream', layer)),
    annotations: { name, nonce: String(nonce) },
  })

/** As a real client does: asks first, then mounts or uploads; when the manifest is refused for want of a blob, from the beginning. */
async function pushOne(registry: TestRegistry, name: string, layers: readonly Buffer[], text: string): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    for (const layer of [Buffer.from('{}'), ...layers]) {
      const digest = sha256(layer)
      if ((await registry.ask('HEAD', `/v2/${name}/blobs/${digest}`)).status === 200) continue
      const mounted = await registry.ask('POST', `/v2/${name}/blobs/uploads/?mount=${digest}`)
      if (mounted.status === 202) await registry.ask('DELETE', String(mounted.headers.location))
      if (mounted.status === 202) await pushBlob(registry, name, layer)
    }
    const { status } = await pushManifest(registry, { name, reference: sha256(text) }, text)
    if (status === 201) return
    assert.equal(status, 400)
  }
  assert.fail(`an image could not be pushed in ${ATTEMPTS} attempts`)
}

/** What the registry has acknowledged must be there, with all it needs. @returns how it was not */
async function lossesOf(registry: TestRegistry, name: string, text: string, layers: readonly Buffer[]) {
  const lost: string[] = []
  const { status, body } = await registry.ask('GET', `/v2/${name}/manifests/${sha256(text)}`)
  if (status !== 200 || body.toString() !== text) lost.push(`manifest of ${name}: ${status}`)
  for (const layer of layers) {
    const blob = await registry.ask('GET', `/v2/${name}/blobs/${sha256(layer)}`)
    if (blob.status !== 200 || !blob.body.equals(layer)) lost.push(`layer ${layer[0]} of ${name}: ${blob.status}`)
  }
  return lost
}

async function client(registry: TestRegistry, id: number): Promise<string[]> {
  const name = `app-${id % 2}`
  for (let count = 0; count < IMAGES_EACH; count++) {
    const layers = LAYERS.filter(() => randomInt(3) === 0)
    const text = manifestOf(layers, name, id * 1000 + count)
    await pushOne(registry, name, layers, text)
    const lost = await lossesOf(registry, name, text, layers)
    if (lost.length > 0) return lost
    await registry.ask('DELETE', `/v2/${name}/manifests/${sha256(text)}`)
  }
  return []
}

describe('garbage collection under load', () => {
  it('never takes what an acknowledged manifest needs, even without any grace', async (t) => {
    const registry = await testRegistry(t)
    let collections = 0
    let removed = 0
    let isOver = false
    const collecting = (async () => {
      while (!isOver) {
        const { blobs_removed } = await run(registry, 'gc', { grace_s: 0 })
        collections++
        removed += Number(blobs_removed)
      }
    })()

    const lost = await Promise.all(Array.from({ length: CLIENTS }, (_, id) => client(registry, id)))
    isOver = true
    await collecting

    assert.deepEqual(lost.flat(), [])
    assert.ok(removed > 0, 'nothing was ever removed')
    t.diagnostic(`${collections} collections removed ${removed} blobs during ${CLIENTS * IMAGES_EACH} pushes`)
  })
})
