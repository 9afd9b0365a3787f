/** A registry that lies, or whoever names one, makes the mirror ask where only the box itself can. */
import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import { describe, it, type TestContext } from 'node:test'
import { errorOf, IMAGE, imageIn, pushManifest, sha256, testRegistry } from '../registry-mirror/registry.ts'
import { HURRIED, upstreamNamed } from '../registry-mirror/upstream/mirror.ts'
import { SECRET, startVictim } from './victim.ts'

/** Where the registry that lies is: the mirror may go there. The victim is on another loopback address. */
const ALLOWED = '127.0.0.2'

async function mirrorOf(t: TestContext, url: string) {
  const upstreams = [upstreamNamed('up.example', { url, tag_ttl: 0 })]
  return testRegistry(t, { upstreams, reachable_networks: [ALLOWED] }, { patience: HURRIED })
}

async function liar(t: TestContext, answer: RequestListener): Promise<string> {
  const { port } = await startVictim(t, ALLOWED, answer)
  return `http://${ALLOWED}:${port}`
}

const REFUSED =
  /is (at 127\.0\.0\.1, which is )?a loopback address: this box connects there only when \[registry\] reachable_networks allows it/

describe('the addresses that the mirror pulls from', () => {
  it('are not the box itself, whatever a section calls it: not even a connection is made', async (t) => {
    for (const host of ['127.0.0.1', 'localhost', '0x7f000001', '[::ffff:127.0.0.1]']) {
      const victim = await startVictim(t)
      const mirror = await mirrorOf(t, `http://${host}:${victim.port}`)

      const answer = await mirror.ask('GET', '/v2/up.example/org/app/manifests/v1')

      const [status, code, message] = errorOf(answer)
      assert.deepEqual([status, code], [403, 'DENIED'], host)
      assert.match(String(message), /loopback address: this box connects there only when/, host)
      assert.equal(victim.connections, 0, host)
    }
  })

  it('are not where an upstream wants its tokens to be had', async (t) => {
    const victim = await startVictim(t)
    for (const realm of [`http://127.0.0.1:${victim.port}/token`, `http://localhost:${victim.port}/token`]) {
      const url = await liar(t, (_, response) => {
        response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="x"` }).end()
      })
      const mirror = await mirrorOf(t, url)

      const [status, , message] = errorOf(await mirror.ask('GET', '/v2/up.example/org/app/manifests/v1'))

      assert.equal(status, 403)
      assert.match(String(message), REFUSED)
    }
    assert.equal(victim.connections, 0)
  })

  it('are not where an upstream redirects a manifest or a blob to, at once or by way of itself', async (t) => {
    const victim = await startVictim(t)
    const target = `http://127.0.0.1:${victim.port}/latest/meta-data`
    const digest = sha256(SECRET)
    const url = await liar(t, ({ url: asked }, response) => {
      const location = asked?.includes('/hop') ? target : `/v2/hop?of=${asked}`
      response.writeHead(307, { location: asked?.includes('blobs') ? target : location }).end()
    })
    const mirror = await mirrorOf(t, url)

    const answers = [
      await mirror.ask('GET', '/v2/up.example/org/app/manifests/v1'),
      await mirror.ask('GET', `/v2/up.example/org/app/blobs/${digest}`),
      await mirror.ask('GET', '/v2/up.example/org/app/tags/list'),
    ]

    for (const answer of answers) {
      assert.ok(answer.status >= 400, `status ${answer.status}`)
      assert.ok(!answer.body.toString().includes(SECRET))
    }
    assert.match(String(errorOf(answers[0] as (typeof answers)[0])[2]), REFUSED)
    assert.equal(victim.connections, 0)
  })

  it('are not what an image_source names, which no section does', async (t) => {
    const victim = await startVictim(t)
    const mirror = await mirrorOf(t, `http://${ALLOWED}:1`)

    const asked = mirror.images.inspect(`127.0.0.1:${victim.port}/org/app:v1`, { architecture: 'amd64' })

    await assert.rejects(asked, REFUSED)
    assert.equal(victim.connections, 0)
  })

  it('are what reachable_networks allows: a registry there is pulled from', async (t) => {
    const upstream = await testRegistry(t)
    const url = await liar(t, async ({ url: path, method }, response) => {
      const answer = await fetch(`http://127.0.0.1:${upstream.port}${path}`, { method: String(method) })
      response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' })
      response.end(Buffer.from(await answer.arrayBuffer()))
    })
    const text = await imageIn(upstream, 'org/app')
    await pushManifest(upstream, { name: 'org/app', reference: 'v1' }, text)
    const mirror = await mirrorOf(t, url)

    const answer = await mirror.ask('GET', '/v2/up.example/org/app/manifests/v1', { headers: { accept: IMAGE } })

    assert.deepEqual([answer.status, answer.body.toString()], [200, text])
  })
})
