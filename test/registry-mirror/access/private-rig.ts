/** An upstream that gives nothing without credentials, and a mirror that has them and that the rack reaches. */
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { RegistryConfig } from '../../../registry-mirror/index.ts'
import { type TestRegistry, temporaryFolder, testRegistry } from '../registry.ts'
import { HURRIED, pushImage, upstreamNamed } from '../upstream/mirror.ts'
import { guardedUpstream } from '../upstream/token-service.ts'

export const NAME = 'up.example/org/app'
export const CREDENTIALS = { username: 'robot', password: 'pa55:word' }

export const basic = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
})
export const ALICE = basic('alice', 'secret')
export const BOB = basic('bob', 'other')

/** alice and bob. */
export function withUsers(t: TestContext): { htpasswd_file: string } {
  const sha = (password: string) => `{SHA}${createHash('sha1').update(password).digest('base64')}`
  const htpasswd_file = join(temporaryFolder(t), 'htpasswd')
  writeFileSync(htpasswd_file, `alice:${sha('secret')}\nbob:${sha('other')}\n`)
  return { htpasswd_file }
}

/** @param section  what [upstream:up.example] has beside its address and credentials */
export async function privateRig(
  t: TestContext,
  change: Partial<RegistryConfig> = {},
  section: Record<string, unknown> = {},
) {
  const upstream = await testRegistry(t)
  const pushed = await pushImage(upstream, { name: 'org/app', tag: 'v1' })
  const user = `${CREDENTIALS.username}:${CREDENTIALS.password}`
  const guarded = await guardedUpstream(t, () => upstream.port, { scheme: 'basic', user })
  const upstreams = [upstreamNamed('up.example', { url: guarded.url, ...CREDENTIALS, ...section })]
  const mirror = await testRegistry(t, { host_ip: '0.0.0.0', upstreams, ...change }, { patience: HURRIED })
  return { mirror, pushed, upstream, guarded }
}

/** As for a node whose operator gave no pull secret, or one. */
export async function heldIn(mirror: TestRegistry, secret?: string) {
  const options = secret === undefined ? {} : { secret }
  const image = await mirror.images.inspect(`${NAME}:v1`, { architecture: 'amd64', ...options })
  await mirror.images.hold(image, { owner: 'node:1', ...options })
  return image
}
