/**
 * Maintenance and pulling together: what is evicted or damaged comes again from its upstream; nothing is taken from
 * under a pull.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { describe, it, type TestContext } from 'node:test'
import { sha256, type TestRegistry, testRegistry } from '../registry.ts'
import { until, upstreamNamed } from '../upstream/mirror.ts'
import { ask, isKept, list, pathOf, pushImage, run } from './asking.ts'

async function upstreamAndMirror(t: TestContext) {
  const upstream = await testRegistry(t)
  return {
    upstream,
    mirror: await testRegistry(t, { upstreams: [upstreamNamed('up', { url: `http://127.0.0.1:${upstream.port}` })] }),
  }
}

type Named = { digest: string }

/** As a client does: the manifest, then its blobs, each proven. @returns what went wrong */
async function pull(mirror: TestRegistry, name: string, tag: string): Promise<string[]> {
  const { status, body } = await mirror.ask('GET', `/v2/up/${name}/manifests/${tag}`)
  if (status !== 200) return [`manifest ${name}:${tag}: ${status} ${body}`]
  const wrong: string[] = []
  const { config, layers } = JSON.parse(body.toString()) as { config: Named; layers: Named[] }
  for (const { digest } of [config, ...layers]) {
    const blob = await mirror.ask('GET', `/v2/up/${name}/blobs/${digest}`)
    if (blob.status !== 200 || sha256(blob.body) !== digest) wrong.push(`blob ${digest}: ${blob.status} ${blob.body}`)
  }
  return wrong
}

describe('content of an upstream', () => {
  it('is fetched anew when a scrub finds it damaged', async (t) => {
    const { upstream, mirror } = await upstreamAndMirror(t)
    const { layers, digest } = await pushImage(upstream, 'app', 'v1')
    const [layer = ''] = layers
    assert.deepEqual(await pull(mirror, 'app', 'v1'), [])
    await until(() => isKept(mirror, layer))
    writeFileSync(pathOf(mirror, layer), 'damaged')
    writeFileSync(pathOf(mirror, digest), '{}')

    const counts = await run(mirror, 'scrub')

    assert.deepEqual([counts.damaged, counts.repaired], [2, 2])
    assert.deepEqual([isKept(mirror, layer), isKept(mirror, digest)], [true, true])
    assert.deepEqual(await pull(mirror, 'app', 'v1'), [])
  })

  it('counts as pulled, and comes again after it was evicted', async (t) => {
    const { upstream, mirror } = await upstreamAndMirror(t)
    const { layers } = await pushImage(upstream, 'app', 'v1')
    const pushed = await pushImage(mirror, 'own', 'v1')
    assert.deepEqual(await pull(mirror, 'app', 'v1'), [])
    await until(() => isKept(mirror, layers[0] ?? ''))
    const origins = (await list(mirror)).map(({ repository, origin }) => [repository, origin])

    await ask(mirror, { ask: 'run', job: 'evict', options: { quota_bytes: 1, spare_s: -1, grace_s: 0 } })

    assert.deepEqual(origins, [
      ['own', 'pushed'],
      ['up/app', 'pulled'],
    ])
    assert.deepEqual(
      [layers[0] ?? '', pushed.layers[0] ?? ''].map((digest) => isKept(mirror, digest)),
      [false, true],
    )
    assert.deepEqual(await pull(mirror, 'app', 'v1'), [])
  })

  it('is never taken from under a pull by garbage collection or the quota', async (t) => {
    const { upstream, mirror } = await upstreamAndMirror(t)
    const names = ['a', 'b', 'c', 'd']
    for (const name of names) for (const tag of ['v1', 'v2']) await pushImage(upstream, name, tag)
    let isOver = false
    let removed = 0
    const maintenance = (async () => {
      while (!isOver) {
        const collected = await run(mirror, 'gc', { grace_s: 0 })
        const evicted = await run(mirror, 'evict', { quota_bytes: 6000, spare_s: 0, grace_s: 0 })
        removed += Number(collected.blobs_removed) + Number(evicted.manifests_evicted)
      }
    })()

    const wrong: string[] = []
    let pulls = 0
    const end = Date.now() + 3000
    const client = async (name: string) => {
      for (let turn = 0; Date.now() < end; turn++) {
        wrong.push(...(await pull(mirror, name, `v${1 + (turn % 2)}`)))
        pulls++
      }
    }
    await Promise.all([...names, ...names].map(client))
    isOver = true
    await maintenance

    assert.deepEqual(wrong.slice(0, 5), [])
    assert.ok(removed > 0, 'nothing was ever removed')
    t.diagnostic(`${removed} manifests and blobs were removed during ${pulls} pulls`)
  })
})
