/** Clients that push the same few blobs again and again, as those of a registry do whose content is being removed. */
import assert from 'node:assert/strict'
import { descriptor, IMAGE, sha256, type TestRegistry } from '../registry.ts'

type Asked = Pick<TestRegistry, 'ask'>

/** Few, so that what one client deletes another one is pushing. */
export const LAYERS = Array.from({ length: 6 }, (_, index) => Buffer.alloc(2000 + index, index + 1))
const ATTEMPTS = 50

export const manifestOf = (layers: readonly Buffer[], name: string, nonce: number) =>
  JSON.stringify({
    schemaVersion: 2,
    mediaType: IMAGE,
    config: descriptor('application/vnd.oci.empty.v1+json', '{}'),
    layers: layers.map((layer) => descriptor('application/octet-stream', layer)),
    annotations: { name, nonce: String(nonce) },
  })

/**
 * As a real client does: asks first, then mounts or uploads; when the manifest is refused for want of a blob, from
 * the beginning.
 */
export async function pushOne(registry: Asked, name: string, layers: readonly Buffer[], text: string): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    for (const layer of [Buffer.from('{}'), ...layers]) {
      const digest = sha256(layer)
      if ((await registry.ask('HEAD', `/v2/${name}/blobs/${digest}`)).status === 200) continue
      const mounted = await registry.ask('POST', `/v2/${name}/blobs/uploads/?mount=${digest}`)
      if (mounted.status === 202) await registry.ask('DELETE', String(mounted.headers.location))
      if (mounted.status === 202) await upload(registry, name, layer)
    }
    const ask = { headers: { 'content-type': IMAGE }, body: text }
    const { status } = await registry.ask('PUT', `/v2/${name}/manifests/${sha256(text)}`, ask)
    if (status === 201) return
    assert.equal(status, 400)
  }
  assert.fail(`an image could not be pushed in ${ATTEMPTS} attempts`)
}

/** What the registry has acknowledged must be there, with all it needs. @returns how it was not */
export async function lossesOf(registry: Asked, name: string, text: string, layers: readonly Buffer[]) {
  const lost: string[] = []
  const { status, body } = await registry.ask('GET', `/v2/${name}/manifests/${sha256(text)}`)
  if (status !== 200 || body.toString() !== text) lost.push(`manifest of ${name}: ${status}`)
  for (const layer of layers) {
    const blob = await registry.ask('GET', `/v2/${name}/blobs/${sha256(layer)}`)
    if (blob.status !== 200 || !blob.body.equals(layer)) lost.push(`layer ${layer[0]} of ${name}: ${blob.status}`)
  }
  return lost
}

async function upload(registry: Asked, name: string, bytes: Buffer): Promise<void> {
  const { status } = await registry.ask('POST', `/v2/${name}/blobs/uploads/?digest=${sha256(bytes)}`, { body: bytes })
  assert.equal(status, 201)
}
