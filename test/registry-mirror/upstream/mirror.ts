/** A mirror in front of a fault injector in front of an upstream: all real, all on loopback. */
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RegistryConfig, UpstreamConfig } from '../../../registry-mirror/config/config.ts'
import { UPSTREAM_DEFAULTS } from '../../../registry-mirror/config/upstream.ts'
import { readUpstream } from '../../../registry-mirror/index.ts'
import type { Patience } from '../../../registry-mirror/upstream/client.ts'
import {
  descriptor,
  IMAGE,
  pushBlob,
  pushManifest,
  sha256,
  someBytes,
  type TestRegistry,
  testRegistry,
} from '../registry.ts'
import { type FaultInjector, faultInjector } from './fault-injector.ts'

/** So that a test need not wait for what an operator would. */
export const HURRIED: Partial<Patience> = {
  connect_ms: 500,
  answer_ms: 600,
  stall_ms: 300,
  resume_ms: 1_000,
  stale_ms: 150,
  retry_ms: 50,
  pause_ms: 50,
}

export type Rig = { mirror: TestRegistry; upstream: TestRegistry; injector: FaultInjector }
export type Change = {
  /** Of the upstream's section. */
  config?: Record<string, unknown>
  mirror?: Partial<RegistryConfig>
  patience?: Partial<Patience>
}

/** Options as a section of the configuration file would give them. */
export const upstreamNamed = (name: string, values: Record<string, unknown>): UpstreamConfig =>
  readUpstream({ name, values: { ...UPSTREAM_DEFAULTS, insecure: true, ...values } })

/** The upstream is served by the mirror as up.example. */
export async function rig(
  t: TestContext,
  { config = {}, mirror: change = {}, patience = {} }: Change = {},
): Promise<Rig> {
  const upstream = await testRegistry(t)
  const injector = await faultInjector(t, () => upstream.port)
  const upstreams = [upstreamNamed('up.example', { url: injector.url, ...config })]
  const mirror = await testRegistry(t, { upstreams, ...change }, { patience: { ...HURRIED, ...patience } })
  return { mirror, upstream, injector }
}

export type Pushed = { layer: Buffer; layerDigest: string; manifest: string; digest: string }

/** An image of one layer. */
export async function pushImage(
  upstream: TestRegistry,
  at: { name: string; tag: string; size?: number },
): Promise<Pushed> {
  const layer = someBytes(at.size ?? 300_000)
  const config = Buffer.from(
    JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } }),
  )
  await pushBlob(upstream, at.name, config)
  const layerDigest = await pushBlob(upstream, at.name, layer)
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: IMAGE,
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: [descriptor('application/vnd.oci.image.layer.v1.tar', layer)],
  })
  await pushManifest(upstream, { name: at.name, reference: at.tag }, manifest)
  return { layer, layerDigest, manifest, digest: sha256(manifest) }
}

/** Looks again and again, for ten seconds at most. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`did not come true: ${condition}`)
    await sleep(5)
  }
}
