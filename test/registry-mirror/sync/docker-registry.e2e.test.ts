/**
 * A sync set of Debian's docker-registry, which knows no referrers and uploads in two steps: here when that registry
 * is gone.
 */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { describe, it, type TestContext } from 'node:test'
import { askRegistry } from '../../../registry-mirror/index.ts'
import { type RegistryServer, startDockerRegistry } from '../../bench/registry-servers.ts'
import {
  askPort,
  configOf,
  descriptor,
  IMAGE,
  INDEX,
  logTo,
  sha256,
  someBytes,
  temporaryFolder,
  testRegistry,
} from '../registry.ts'
import { HURRIED, upstreamNamed } from '../upstream/mirror.ts'

const isMissing = !existsSync('/usr/bin/docker-registry') && 'docker-registry is not installed'
const CONFIG = Buffer.from('{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}')

async function pushBlob(port: number, bytes: Buffer): Promise<void> {
  const { headers } = await askPort(port, 'POST', '/v2/org/app/blobs/uploads/')
  const at = new URL(String(headers.location), `http://127.0.0.1:${port}`)
  at.searchParams.set('digest', sha256(bytes))
  assert.equal((await askPort(port, 'PUT', at.pathname + at.search, { body: bytes })).status, 201)
}

async function pushManifest(port: number, reference: string, type: string, body: string): Promise<void> {
  const ask = { headers: { 'content-type': type }, body }
  assert.equal((await askPort(port, 'PUT', `/v2/org/app/manifests/${reference}`, ask)).status, 201)
}

async function pushImage(port: number, reference: string, layer: Buffer): Promise<string> {
  for (const blob of [CONFIG, layer]) await pushBlob(port, blob)
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: IMAGE,
    config: descriptor('application/vnd.oci.image.config.v1+json', CONFIG),
    layers: [descriptor('application/vnd.oci.image.layer.v1.tar', layer)],
  })
  await pushManifest(port, reference, IMAGE, text)
  return text
}

const indexOf = (...manifests: object[]) => JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests })
const entry = (text: string, more: object = {}) => ({ ...descriptor(IMAGE, text), ...more })

/** @returns a way to end it before the test does */
async function dockerRegistry(t: TestContext): Promise<{ port: number; stop(): Promise<void> }> {
  const server = (await startDockerRegistry(temporaryFolder(t))) as RegistryServer
  let stopping: PromiseLike<void> | undefined
  const stop = async () => {
    stopping ??= server[Symbol.asyncDispose]()
    await stopping
  }
  t.after(stop)
  return { port: server.port, stop }
}

describe('a sync set of a docker-registry', { skip: isMissing }, () => {
  it('is here when that registry is gone: chosen platforms, tags by pattern, signatures by the fallback tag', async (t) => {
    const { port, stop } = await dockerRegistry(t)
    const layers = {
      amd64: someBytes(3_000_000),
      arm64: someBytes(1000),
      signature: someBytes(100),
      old: someBytes(10),
    }
    const amd64 = await pushImage(port, 'amd64', layers.amd64)
    const arm64 = await pushImage(port, 'arm64', layers.arm64)
    const index = indexOf(
      entry(amd64, { platform: { os: 'linux', architecture: 'amd64' } }),
      entry(arm64, { platform: { os: 'linux', architecture: 'arm64' } }),
    )
    await pushManifest(port, '1.0', INDEX, index)
    const signature = await pushImage(port, 'signature', layers.signature)
    await pushManifest(port, sha256(index).replace(':', '-'), INDEX, indexOf(entry(signature)))
    await pushImage(port, '0.9', layers.old)
    const upstreams = [
      upstreamNamed('up.example', {
        url: `http://127.0.0.1:${port}`,
        sync: ['org/app:1.*'],
        sync_platforms: ['linux/amd64'],
      }),
    ]
    const mirror = await testRegistry(t, { upstreams }, { patience: HURRIED })

    const request = { ask: 'run', job: 'sync:up.example' } as const
    const answer = await askRegistry(configOf(mirror.folder), logTo([]), { request })
    await stop()
    const blob = async (bytes: Buffer) => {
      const { status, body } = await mirror.ask('GET', `/v2/up.example/org/app/blobs/${sha256(bytes)}`)
      return status === 200 ? body.equals(bytes) : status
    }
    const tag = await mirror.ask('GET', '/v2/up.example/org/app/manifests/1.0')
    const referrers = await mirror.ask('GET', `/v2/up.example/org/app/referrers/${sha256(index)}`)

    assert.deepEqual('counts' in answer && [answer.counts.images, answer.counts.fetched_blobs], [1, 3])
    assert.equal(tag.body.toString(), index)
    assert.deepEqual([await blob(layers.amd64), await blob(layers.signature)], [true, true])
    assert.deepEqual([await blob(layers.arm64), await blob(layers.old)], [503, 503])
    assert.deepEqual(
      (referrers.json?.manifests as { digest: string }[] | undefined)?.map(({ digest }) => digest),
      [sha256(signature)],
    )
  })
})
