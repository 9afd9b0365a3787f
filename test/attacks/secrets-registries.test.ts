/** A registry, or whoever answers for one once, wants the credentials of the mirror for himself. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { errorOf, testRegistry } from '../registry-mirror/registry.ts'
import { HURRIED, pushImage, upstreamNamed } from '../registry-mirror/upstream/mirror.ts'
import { guardedUpstream } from '../registry-mirror/upstream/token-service.ts'

const CREDENTIALS = { username: 'robot', password: 'pa55:word' }

async function rig(t: TestContext, config: Record<string, unknown>) {
  const upstream = await testRegistry(t)
  await pushImage(upstream, { name: 'org/app', tag: 'v1' })
  // The same server, by another name.
  const guarded = await guardedUpstream(t, () => upstream.port, {
    ...{ scheme: 'bearer', user: 'robot:pa55:word', realm_host: 'localhost' },
  })
  const upstreams = [upstreamNamed('up.example', { url: guarded.url, ...config })]
  const mirror = await testRegistry(t, { upstreams }, { patience: HURRIED })
  return { guarded, ask: () => mirror.ask('GET', '/v2/up.example/org/app/manifests/v1') }
}

describe('credentials of an upstream', () => {
  it('are not given to the host that its challenge names, and the refusal says what to do', async (t) => {
    const { guarded, ask } = await rig(t, CREDENTIALS)

    const [, , message] = errorOf(await ask())

    assert.deepEqual(
      guarded.asked.filter(({ authorization }) => authorization !== undefined),
      [],
    )
    assert.match(
      String(message),
      /Upstream up\.example wants its credentials to be given to localhost, which is not its own host\. When that is right, set token_hosts = localhost in \[upstream:up\.example\]\./,
    )
  })

  it('are given to a host that the configuration names', async (t) => {
    const { guarded, ask } = await rig(t, { ...CREDENTIALS, token_hosts: ['localhost'] })

    const { status } = await ask()

    assert.equal(status, 200)
    assert.match(String(guarded.asked.find(({ line }) => line.includes('/token'))?.authorization), /^Basic /)
  })
})
