/**
 * Tags of upstreams: asked for anew after their ttl, and served stale when upstream is dead, slow, busy, failing or
 * lying.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Answer, errorOf, type TestRegistry } from '../registry.ts'
import type { Fault } from './fault-injector.ts'
import { pushImage, type Rig, rig, until } from './mirror.ts'

const V1 = '/v2/up.example/org/app/manifests/v1'
const digestOf = ({ headers }: Answer) => headers['docker-content-digest']

/** The mirror knows v1 as it was before the upstream's was pushed anew. */
async function staleRig(rigged: Rig): Promise<{ old: string; fresh: string }> {
  const { mirror, upstream, injector } = rigged
  const { digest: old } = await pushImage(upstream, { name: 'org/app', tag: 'v1', size: 10 })
  await mirror.ask('GET', V1)
  const { digest: fresh } = await pushImage(upstream, { name: 'org/app', tag: 'v1', size: 10 })
  injector.forget()
  return { old, fresh }
}

const staleLines = ({ lines }: TestRegistry) => lines.filter(({ message }) => message === 'a tag is served stale')

/** Where no stale answer is wanted: a busy box is no slow upstream. */
const UNHURRIED = { stale_ms: 10_000, answer_ms: 10_000, stall_ms: 10_000 }

describe('a tag of an upstream', () => {
  it('is believed for its ttl', async (t) => {
    const rigged = await rig(t, { config: { tag_ttl: 60 } })
    const { old } = await staleRig(rigged)

    const answer = await rigged.mirror.ask('GET', V1)

    assert.deepEqual([digestOf(answer), rigged.injector.asked.length], [old, 0])
  })

  it('is asked for by HEAD after its ttl, and not fetched when it is the same', async (t) => {
    const { mirror, upstream, injector } = await rig(t, { config: { tag_ttl: 0 }, patience: UNHURRIED })
    const { digest } = await pushImage(upstream, { name: 'org/app', tag: 'v1', size: 10 })
    await mirror.ask('GET', V1)
    injector.forget()

    const answer = await mirror.ask('GET', V1)

    assert.deepEqual([digestOf(answer), answer.headers.warning], [digest, undefined])
    assert.deepEqual(injector.lines(), ['HEAD /v2/org/app/manifests/v1'])
  })

  it('follows the upstream', async (t) => {
    const rigged = await rig(t, { config: { tag_ttl: 0 }, patience: UNHURRIED })
    const { fresh } = await staleRig(rigged)

    const answer = await rigged.mirror.ask('GET', V1)

    assert.deepEqual([digestOf(answer), answer.headers.warning], [fresh, undefined])
    assert.deepEqual(rigged.injector.lines(), ['HEAD /v2/org/app/manifests/v1', `GET /v2/org/app/manifests/${fresh}`])
  })

  it('follows an upstream that does not tell digests', async (t) => {
    const rigged = await rig(t, { config: { tag_ttl: 0 }, patience: UNHURRIED })
    const { fresh } = await staleRig(rigged)
    rigged.injector.fault(/./, { headers: { 'docker-content-digest': '' } })

    assert.equal(digestOf(await rigged.mirror.ask('GET', V1)), fresh)
  })

  it('is asked for once by 16 clients at once', async (t) => {
    const rigged = await rig(t, { config: { tag_ttl: 60 } })
    await pushImage(rigged.upstream, { name: 'org/app', tag: 'v1', size: 10 })

    const answers = await Promise.all(Array.from({ length: 16 }, () => rigged.mirror.ask('GET', V1)))

    assert.ok(answers.every(({ status }) => status === 200))
    assert.equal(rigged.injector.asked.length, 1)
  })

  for (const [what, fault, reason] of [
    ['dead', { refuses: true }, 'Upstream up.example cannot be reached: other side closed.'],
    ['busy (429)', { status: 429 }, 'Upstream up.example answers HEAD for org/app with 429: too many requests.'],
    ['failing (503)', { status: 503 }, 'Upstream up.example answers HEAD for org/app with 503.'],
    [
      'refusing (401)',
      { status: 401 },
      'Upstream up.example answers HEAD for org/app with 401: see username and password of [upstream:up.example].',
    ],
    [
      'lying about the media type',
      { headers: { 'content-type': 'text/html; charset=utf-8' } },
      'Upstream up.example, asked for tag v1 of org/app, says that it is of type text/html, which no manifest is.',
    ],
  ] as [string, Fault, string][])
    it(`is served stale when upstream is ${what}, with a Warning and a log line, and fresh again later`, async (t) => {
      const rigged = await rig(t, { config: { tag_ttl: 0 } })
      const { mirror, injector } = rigged
      const { old, fresh } = await staleRig(rigged)
      injector.fault(/./, fault)

      const answer = await mirror.ask('GET', V1)

      assert.deepEqual([answer.status, digestOf(answer)], [200, old])
      assert.equal(answer.headers.warning, `299 - "${reason} This is what the tag meant when the upstream last told."`)
      assert.deepEqual(staleLines(mirror), [
        {
          level: 'warn',
          message: 'a tag is served stale',
          repository: 'up.example/org/app',
          tag: 'v1',
          digest: old,
          reason,
        },
      ])
      injector.heal()
      await untilFresh(mirror, fresh)
    })

  for (const [what, match, fault] of [
    ['digest', /^GET/, { corrupt_at: 20 }],
    ['length', /^GET/, { headers: { 'content-length': '100' } }],
    ['media type', /^GET/, { headers: { 'content-type': 'application/vnd.oci.image.index.v1+json' } }],
    ['digest in its head', /^HEAD/, { headers: { 'docker-content-digest': `sha256:${'0'.repeat(64)}` } }],
  ] as [string, RegExp, Fault][])
    it(`is served stale when upstream has a new one with a wrong ${what}`, async (t) => {
      const rigged = await rig(t, { config: { tag_ttl: 0 } })
      const { old, fresh } = await staleRig(rigged)
      rigged.injector.fault(match, fault)

      const answer = await rigged.mirror.ask('GET', V1)

      assert.deepEqual([answer.status, digestOf(answer)], [200, old])
      assert.match(String(answer.headers.warning), /^299 - "Upstream up\.example/)
      rigged.injector.heal()
      await untilFresh(rigged.mirror, fresh)
    })

  for (const [what, fault, message] of [
    [
      'digest',
      { corrupt_at: 20 },
      /^Upstream up\.example, asked for manifest v1 of org\/app, sends one that is not of the digest sha256:\w+\.$/,
    ],
    ['media type', { headers: { 'content-type': 'text/html' } }, /, sends none: .*text\/html/],
    ['size', { headers: { 'docker-content-digest': '', 'content-length': '5000000' } }, /./],
  ] as [string, Fault, RegExp][])
    it(`is refused, and not kept, when upstream lies about its ${what} and nothing is here`, async (t) => {
      const { mirror, upstream, injector } = await rig(t)
      await pushImage(upstream, { name: 'org/app', tag: 'v1', size: 10 })
      injector.fault(/./, fault)

      const answer = await mirror.ask('GET', V1)

      assert.ok([502, 503, 504].includes(answer.status), String(answer.status))
      assert.match(String(errorOf(answer)[2]), message)
      injector.heal()
      await until(async () => (await mirror.ask('GET', V1)).status === 200)
    })

  it('is served stale at once when upstream is slow; the fresh one is there when that has answered', async (t) => {
    const rigged = await rig(t, { config: { tag_ttl: 1 }, patience: { answer_ms: 10_000 } })
    const { mirror, injector } = rigged
    const { digest: old } = await pushImage(rigged.upstream, { name: 'org/app', tag: 'v1', size: 10 })
    await mirror.ask('GET', V1)
    await mirror.restart()
    const { digest: fresh } = await pushImage(rigged.upstream, { name: 'org/app', tag: 'v1', size: 10 })
    injector.fault(/HEAD/, { delay_ms: 600 })

    const began = performance.now()
    const first = await mirror.ask('GET', V1)
    const first_ms = performance.now() - began
    const second = await mirror.ask('GET', V1)
    const second_ms = performance.now() - began - first_ms

    assert.deepEqual([digestOf(first), digestOf(second)], [old, old])
    assert.equal(
      first.headers.warning,
      '299 - "Upstream up.example has not answered within 0.15 s. This is what the tag meant when the upstream last told."',
    )
    assert.ok(first_ms > 140 && first_ms < 500, `${first_ms} ms`)
    assert.ok(second_ms < 100, `${second_ms} ms`)
    await untilFresh(mirror, fresh)
  })

  it('costs a dead upstream its deadline once, not for each request', async (t) => {
    const { mirror, upstream, injector } = await rig(t, {
      patience: { pause_ms: 30_000, retry_ms: 30_000, answer_ms: 600 },
    })
    for (const tag of ['v1', 'v2', 'v3']) await pushImage(upstream, { name: 'org/app', tag, size: 10 })
    injector.fault(/./, { silent: true })
    const statuses: number[] = []
    const began = performance.now()
    statuses.push((await mirror.ask('GET', V1)).status)
    const first_ms = performance.now() - began

    for (const tag of ['v1', 'v2', 'v3', 'v4'])
      statuses.push((await mirror.ask('GET', `/v2/up.example/org/app/manifests/${tag}`)).status)

    assert.deepEqual(statuses, [504, 504, 504, 504, 504])
    assert.ok(performance.now() - began - first_ms < 200)
    assert.equal(injector.asked.length, 1)
  })

  it('is not there when the upstream says so, and is again when the upstream is dead', async (t) => {
    const rigged = await rig(t, { config: { tag_ttl: 0 } })
    const { mirror, injector } = rigged
    const { old } = await staleRig(rigged)

    injector.fault(/./, { status: 404 })
    const gone = await mirror.ask('GET', V1)
    injector.fault(/./, { refuses: true })

    assert.equal(gone.status, 404)
    await until(async () => digestOf(await mirror.ask('GET', V1)) === old)
  })
})

async function untilFresh(mirror: TestRegistry, digest: string): Promise<void> {
  await until(async () => {
    const answer = await mirror.ask('GET', V1)
    return digestOf(answer) === digest && answer.headers.warning === undefined
  })
}
