/** What a bad line and a bad upstream do to blobs that are pulled through the mirror. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { errorOf, type TestRegistry } from '../registry.ts'
import { type Pushed, pushImage, rig, until } from './mirror.ts'

const APP = '/v2/up.example/org/app'
const SIZE = 3_000_000

async function startPull(mirror: TestRegistry, path: string): Promise<IncomingMessage> {
  const asked = request({ host: '127.0.0.1', port: mirror.port, path, agent: false }).end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  return response
}

/** What a client has when the mirror cuts it off. */
async function chunksOf(response: IncomingMessage): Promise<{ bytes: Buffer; isWhole: boolean }> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of response) chunks.push(chunk)
  } catch {
    // It was cut, as isWhole says.
  }
  return { bytes: Buffer.concat(chunks), isWhole: response.complete }
}

const blobFile = ({ folder }: TestRegistry, digest: string) =>
  join(folder, 'blobs/sha256', digest.slice('sha256:'.length))

/** A box that has other things to do, too, is no line that is cut. */
const UNHURRIED = { patience: { stall_ms: 2_000, answer_ms: 5_000, resume_ms: 20_000 } }

describe('a cold pull', () => {
  it('streams: its first bytes are at the client long before its last have left the upstream', async (t) => {
    const delays_ms: number[] = []

    // On a box that has other things to do, too, the best of a few tells.
    while (delays_ms.length < 10 && !delays_ms.some((delay_ms) => delay_ms < 50)) {
      const { mirror, upstream, injector } = await rig(t)
      const { layerDigest } = await pushImage(upstream, { name: 'org/app', tag: 'v1', size: SIZE })
      injector.fault(/blobs/, { stall_after: 200_000 })
      const response = await startPull(mirror, `${APP}/blobs/${layerDigest}`)
      await once(response, 'readable')
      delays_ms.push(performance.now() - injector.firstByteAt)
      response.destroy()
      assert.equal(response.headers['content-length'], String(SIZE))
    }

    assert.ok(
      delays_ms.some((delay_ms) => delay_ms < 50),
      `${delays_ms} ms`,
    )
  })
})

describe('a manifest that is pulled', () => {
  it('is asked for again when its answer was cut', async (t) => {
    const { mirror, upstream, injector } = await rig(t, UNHURRIED)
    const { manifest } = await pushImage(upstream, { name: 'org/app', tag: 'v1', size: 1000 })
    injector.fault(/manifests/, { cut_after: 100 }, 2)

    const { body } = await mirror.ask('GET', `${APP}/manifests/v1`)

    assert.equal(body.toString(), manifest)
  })
})

// Most of them wait.
describe('a blob that is pulled', { concurrency: 4 }, () => {
  it('comes over the line once for 16 clients at once', async (t) => {
    const { mirror, upstream, injector } = await rig(t)
    const { layer, layerDigest } = await pushImage(upstream, { name: 'org/app', tag: 'v1', size: SIZE })

    const bodies = await Promise.all(
      Array.from({ length: 16 }, () => mirror.ask('GET', `${APP}/blobs/${layerDigest}`).then(({ body }) => body)),
    )

    assert.ok(bodies.every((body) => body.equals(layer)))
    assert.deepEqual([injector.asked.length, injector.bodyBytes], [1, SIZE])
  })

  it('goes on by Range after each cut, and the client sees none of it', async (t) => {
    const { mirror, upstream, injector } = await rig(t, UNHURRIED)
    const { layer, layerDigest } = await pushImage(upstream, { name: 'org/app', tag: 'v1', size: SIZE })
    injector.fault(/blobs/, { cut_after: 700_000 }, 4)

    const { body } = await mirror.ask('GET', `${APP}/blobs/${layerDigest}`)

    assert.ok(body.equals(layer))
    assert.deepEqual(
      injector.asked.map(({ headers }) => headers.range),
      [undefined, 'bytes=700000-', 'bytes=1400000-', 'bytes=2100000-', 'bytes=2800000-'],
    )
    assert.equal(injector.bodyBytes, SIZE)
  })

  it('goes on after a stall', async (t) => {
    const { mirror, upstream, injector } = await rig(t, UNHURRIED)
    const { layer, layerDigest } = await pushImage(upstream, { name: 'org/app', tag: 'v1', size: SIZE })
    injector.fault(/blobs/, { stall_after: 1_000_000 }, 1)

    const { body } = await mirror.ask('GET', `${APP}/blobs/${layerDigest}`)

    assert.deepEqual([body.equals(layer), injector.bodyBytes], [true, SIZE])
  })

  it('goes on from an upstream that knows no Range', async (t) => {
    const { mirror, upstream, injector } = await rig(t, UNHURRIED)
    const { layer, layerDigest } = await pushImage(upstream, { name: 'org/app', tag: 'v1', size: SIZE })
    injector.ignoresRange = true
    injector.fault(/blobs/, { cut_after: 1_000_000 }, 1)

    const { body } = await mirror.ask('GET', `${APP}/blobs/${layerDigest}`)

    assert.deepEqual([body.equals(layer), injector.bodyBytes], [true, SIZE + 1_000_000])
  })

  it('is begun anew when it was cut before its first byte', async (t) => {
    const { mirror, upstream, injector } = await rig(t, UNHURRIED)
    const { layer, layerDigest } = await pushImage(upstream, { name: 'org/app', tag: 'v1', size: 1000 })
    injector.fault(/blobs/, { cut_after: 0 }, 2)

    const { body } = await mirror.ask('GET', `${APP}/blobs/${layerDigest}`)

    assert.ok(body.equals(layer))
  })

  it('is asked for from its beginning where a Range is refused', async (t) => {
    const { mirror, upstream, injector } = await rig(t, UNHURRIED)
    const { layer, layerDigest } = await pushImage(upstream, { name: 'org/app', tag: 'v1', size: SIZE })
    injector.refusesRange = true
    injector.fault(/blobs/, { cut_after: 1_000_000 }, 1)

    const { body } = await mirror.ask('GET', `${APP}/blobs/${layerDigest}`)

    assert.ok(body.equals(layer))
    assert.deepEqual(
      injector.asked.map(({ headers }) => headers.range),
      [undefined, 'bytes=1000000-', undefined],
    )
  })

  it('is begun anew when it ended early without a sign, three times at most', async (t) => {
    const { mirror, upstream, injector } = await rig(t, UNHURRIED)
    const { layer, layerDigest } = await pushImage(upstream, { name: 'org/app', tag: 'v1', size: SIZE })
    const unsaid = { headers: { 'content-length': '' }, end_after: 1_000_000 }
    injector.fault(/blobs/, unsaid, 2)

    const { body } = await mirror.ask('GET', `${APP}/blobs/${layerDigest}`)
    const other = await pushImage(upstream, { name: 'org/app', tag: 'v2', size: SIZE })
    injector.forget()
    injector.fault(/blobs/, unsaid)
    const refused = await mirror.ask('GET', `${APP}/blobs/${other.layerDigest}`)

    assert.ok(body.equals(layer))
    assert.deepEqual([refused.status, injector.asked.length], [502, 3])
  })

  it('survives a line that is gone for a while', async (t) => {
    const { mirror, upstream, injector } = await rig(t, { patience: { resume_ms: 5_000 } })
    const { layer, layerDigest } = await pushImage(upstream, { name: 'org/app', tag: 'v1', size: SIZE })
    injector.fault(/blobs/, { cut_after: 1_000_000 }, 1)
    const response = await startPull(mirror, `${APP}/blobs/${layerDigest}`)
    injector.fault(/blobs/, { refuses: true }, 3)

    const body = await buffer(response)

    assert.ok(body.equals(layer))
  })

  it('does not mind one connection that the upstream closes', async (t) => {
    const { mirror, upstream, injector } = await rig(t)
    const { layerDigest } = await pushImage(upstream, { name: 'org/app', tag: 'v1', size: 1000 })
    injector.fault(/blobs/, { refuses: true }, 1)

    const { status } = await mirror.ask('GET', `${APP}/blobs/${layerDigest}`)

    assert.deepEqual([status, injector.asked.length], [200, 2])
  })

  it('comes whole though every client left', async (t) => {
    const { mirror, upstream, injector } = await rig(t)
    const { layer, layerDigest } = await pushImage(upstream, { name: 'org/app', tag: 'v1', size: SIZE })
    injector.fault(/blobs/, { bytes_per_s: 10_000_000 })
    const response = await startPull(mirror, `${APP}/blobs/${layerDigest}`)
    response.destroy()

    await until(() => mirror.lines.some(({ message }) => message === 'blob pulled'))

    assert.ok(readFileSync(blobFile(mirror, layerDigest)).equals(layer))
    assert.equal(injector.asked.length, 1)
  })

  it('goes on after a restart where it was', async (t) => {
    const { mirror, upstream, injector } = await rig(t, UNHURRIED)
    const { layer, layerDigest } = await pushImage(upstream, { name: 'org/app', tag: 'v1', size: SIZE })
    injector.fault(/blobs/, { stall_after: 1_000_000 }, 1)
    const response = await startPull(mirror, `${APP}/blobs/${layerDigest}`)
    response.on('error', () => {})
    let came = 0
    response.on('data', ({ length }: Buffer) => {
      came += length
    })
    await until(() => came > 900_000)

    await mirror.restart()
    const { body } = await mirror.ask('GET', `${APP}/blobs/${layerDigest}`)

    assert.ok(body.equals(layer))
    assert.equal(injector.asked.at(-1)?.headers.range, 'bytes=1000000-')
  })

  for (const [what, fault] of [
    ['one byte is another', { corrupt_at: 1_500_000 }],
    ['the last byte is another', { corrupt_at: SIZE - 1 }],
    ['it is longer than it says', { headers: { 'content-length': String(SIZE - 1000) } }],
  ] as const)
    it(`is never whole for a client when ${what}, and is not kept`, async (t) => {
      const { mirror, upstream, injector } = await rig(t)
      const { layer, layerDigest } = await pushImage(upstream, { name: 'org/app', tag: 'v1', size: SIZE })
      injector.fault(/blobs/, fault, 1)

      const { isWhole, bytes } = await chunksOf(await startPull(mirror, `${APP}/blobs/${layerDigest}`))

      assert.equal(isWhole, false)
      assert.ok(bytes.length < SIZE - 1000)
      assert.ok(!existsSync(blobFile(mirror, layerDigest)))
      await until(() => readdirSync(join(mirror.folder, 'transfers')).length === 0)
      injector.heal()
      assert.ok((await mirror.ask('GET', `${APP}/blobs/${layerDigest}`)).body.equals(layer))
    })

  it('that is small is refused when it is wrong, before anything of it was sent', async (t) => {
    const { mirror, upstream, injector } = await rig(t)
    const { layerDigest } = await pushImage(upstream, { name: 'org/app', tag: 'v1', size: 1000 })
    injector.fault(/blobs/, { corrupt_at: 5 }, 1)

    const [status, code, message] = errorOf(await mirror.ask('GET', `${APP}/blobs/${layerDigest}`))

    assert.deepEqual([status, code], [502, 'UNKNOWN'])
    assert.match(
      String(message),
      /^Upstream up\.example, asked for blob sha256:.* of org\/app, sends 1000 bytes that are not of this digest\.$/,
    )
  })

  for (const [what, fault, status, message] of [
    ['is dead', { refuses: true }, 503, /^Upstream up\.example cannot be reached: /],
    ['is silent', { silent: true }, 504, /^Upstream up\.example does not answer within 0\.6 s\.$/],
    [
      'has too many requests',
      { status: 429 },
      429,
      /^Upstream up\.example answers GET for org\/app with 429: too many requests\.$/,
    ],
    ['fails', { status: 500 }, 502, /^Upstream up\.example answers GET for org\/app with 500\.$/],
    [
      'knows us not',
      { status: 403 },
      403,
      /^Upstream up\.example answers GET for org\/app with 403: see username and password of \[upstream:up\.example\]\.$/,
    ],
    [
      'redirects in a circle',
      { status: 307, headers: { location: '/v2/' } },
      502,
      /^Upstream up\.example redirects more than 5 times\.$/,
    ],
  ] as const)
    it(`is answered with ${status} when upstream ${what}`, async (t) => {
      const { mirror, upstream, injector } = await rig(t)
      const { layerDigest } = await pushImage(upstream, { name: 'org/app', tag: 'v1', size: 1000 })
      injector.fault(/./, fault)

      const answer = await mirror.ask('GET', `${APP}/blobs/${layerDigest}`)

      assert.equal(answer.status, status)
      assert.match(String(errorOf(answer)[2]), message)
      assert.equal(answer.headers['retry-after'], status === 403 ? undefined : '5')
    })

  it('is neither pulled nor kept when it is larger than [registry] max_blob_size, which is said', async (t) => {
    const { mirror, upstream, injector } = await rig(t, { mirror: { max_blob_size: 1 } })
    const { layerDigest } = await pushImage(upstream, { name: 'org/app', tag: 'v1', size: SIZE })
    const path = `${APP}/blobs/${layerDigest}`
    const told = `Blob ${layerDigest} of org/app of upstream up.example is larger than 1 MiB, the limit of this registry ([registry] max_blob_size).`

    const refused = await mirror.ask('GET', path)
    // Of one that does not say how large it is, nobody gets the end.
    injector.fault(/blobs/, { headers: { 'content-length': '' } })
    const broken = await mirror.ask('GET', path)
    const inspected = mirror.images.inspect('up.example/org/app:v1', { architecture: 'amd64' })

    assert.deepEqual(
      [errorOf(refused), errorOf(broken)],
      [
        [403, 'DENIED', told],
        [403, 'DENIED', told],
      ],
    )
    await assert.rejects(inspected, {
      problem: 'too large',
      message: `Image up.example/org/app:v1 has a layer of ${SIZE} bytes: at most 1048576 are taken ([registry] max_blob_size).`,
    })
    assert.deepEqual(readdirSync(join(mirror.folder, 'transfers')), [])
  })

  it('waits for its turn when more are wanted than concurrency allows', async (t) => {
    const { mirror, upstream, injector } = await rig(t, { config: { concurrency: 2 } })
    const images: Pushed[] = []
    for (const tag of ['a', 'b', 'c', 'd', 'e'])
      images.push(await pushImage(upstream, { name: 'org/app', tag, size: 100_000 }))
    injector.fault(/blobs/, { delay_ms: 20 })

    const bodies = await Promise.all(
      images.map(({ layerDigest }) => mirror.ask('GET', `${APP}/blobs/${layerDigest}`).then(({ body }) => body)),
    )

    assert.ok(bodies.every((body, at) => body.equals(images[at]?.layer ?? Buffer.alloc(0))))
    assert.equal(injector.mostAtOnce, 2)
  })

  it('takes no more of the line than bandwidth_limit', async (t) => {
    const { mirror, upstream } = await rig(t, { config: { bandwidth_limit: 1000 } })
    const took_ms: number[] = []
    // A busy machine makes it longer, and never shorter.
    while (took_ms.length < 3 && !took_ms.some((one) => one < 1_500)) {
      const tag = `v${took_ms.length}`
      const { layerDigest } = await pushImage(upstream, { name: 'org/app', tag, size: 1_024_000 + took_ms.length })
      const began = performance.now()

      await mirror.ask('GET', `${APP}/blobs/${layerDigest}`)

      took_ms.push(performance.now() - began)
    }
    // The first 200 ms of it may come at once.
    assert.ok(Math.min(...took_ms) > 750 && Math.min(...took_ms) < 1_500, `${took_ms} ms`)
  })
})
