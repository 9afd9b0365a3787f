/** An upstream that gives its image only to who has a pull secret, behind a fault injector, and a mirror of it. */
import type { TestContext } from 'node:test'
import type { ContainerImage, RegistryConfig } from '../../../registry-mirror/index.ts'
import { type TestRegistry, testRegistry } from '../registry.ts'
import { faultInjector } from '../upstream/fault-injector.ts'
import { upstreamNamed } from '../upstream/mirror.ts'
import { type Guard, guardedUpstream } from '../upstream/token-service.ts'
import { pushBootable } from './images.ts'

const USER = 'robot:pa55:word'
export const base64 = (text: string) => Buffer.from(text).toString('base64')
export const SECRET = base64(USER)
export const AMD64 = { architecture: 'amd64' }
/** An upstream that refuses is asked again soon; one that is slow because this box is busy is waited for. */
const PATIENCE = { pause_ms: 50, retry_ms: 50, stale_ms: 10_000 }
export const REFERENCE = 'up.example/org/app:v1'

export async function secretRig(
  t: TestContext,
  scheme: 'basic' | 'bearer' = 'bearer',
  change: Partial<RegistryConfig> = {},
) {
  const upstream = await testRegistry(t)
  const guard: Guard = { scheme, user: USER }
  const guarded = await guardedUpstream(t, () => upstream.port, guard)
  const injector = await faultInjector(t, () => guarded.port)
  const upstreams = [upstreamNamed('up.example', { url: injector.url, tag_ttl: 0 })]
  const mirror = await testRegistry(t, { upstreams, ...change }, { patience: PATIENCE })
  const built = await pushBootable(upstream, { name: 'org/app', tag: 'v1' })
  return { upstream, guard, injector, mirror, built }
}

export async function holdBySecret(mirror: TestRegistry): Promise<ContainerImage> {
  const image = await mirror.images.inspect(REFERENCE, { ...AMD64, secret: SECRET })
  await mirror.images.hold(image, { owner: 'node:1', secret: SECRET })
  return image
}
