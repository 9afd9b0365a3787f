/** Who the mirror is to its upstreams: tokens, passwords and pull secrets, which nobody else ever sees. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { errorOf, type TestRegistry, temporaryFolder, testRegistry } from '../registry.ts'
import { faultInjector } from './fault-injector.ts'
import { HURRIED, pushImage, upstreamNamed } from './mirror.ts'
import { type Guard, type Guarded, guardedUpstream } from './token-service.ts'

const PASSWORD = 'pa55:word'

async function guardedRig(t: TestContext, guard: Guard, config: Record<string, unknown> = {}) {
  const upstream = await testRegistry(t)
  const guarded = await guardedUpstream(t, () => upstream.port, guard)
  const upstreams = [upstreamNamed('up.example', { url: guarded.url, ...config })]
  const mirror = await testRegistry(t, { upstreams }, { patience: HURRIED })
  return { upstream, guarded, mirror }
}

/** Nothing that a client or the log was told holds a secret. */
function assertSecret({ lines }: TestRegistry, { asked }: Guarded, answers: unknown[]): void {
  const told = JSON.stringify([lines, answers])
  for (const { authorization } of asked) {
    const secret = authorization?.split(' ')[1]
    if (secret) assert.ok(!told.includes(secret))
  }
  assert.ok(!told.includes(PASSWORD))
}

describe('an upstream that wants tokens', () => {
  it('gives them to everybody for what is public, and is asked for one for each repository', async (t) => {
    const { upstream, guarded, mirror } = await guardedRig(t, { scheme: 'bearer' })
    const { layerDigest } = await pushImage(upstream, { name: 'org/app', tag: 'v1' })
    await pushImage(upstream, { name: 'org/other', tag: 'v1' })

    const answers = []
    for (const path of ['org/app/manifests/v1', `org/app/blobs/${layerDigest}`, 'org/other/manifests/v1'])
      answers.push(await mirror.ask('GET', `/v2/up.example/${path}`))

    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200],
    )
    assert.deepEqual(
      guarded.asked.filter(({ line }) => line.startsWith('GET /token')),
      ['app', 'other'].map((one) => ({
        line: `GET /token?service=upstream.example&scope=repository%3Aorg%2F${one}%3Apull`,
        authorization: undefined,
      })),
    )
    assertSecret(
      mirror,
      guarded,
      answers.map(({ headers }) => headers),
    )
  })

  it('gives them to who it knows', async (t) => {
    const { upstream, guarded, mirror } = await guardedRig(
      t,
      { scheme: 'bearer', user: `robot:${PASSWORD}` },
      { username: 'robot', password: PASSWORD },
    )
    await pushImage(upstream, { name: 'org/app', tag: 'v1' })

    const answer = await mirror.ask('GET', '/v2/up.example/org/app/manifests/v1')

    assert.equal(answer.status, 200)
    assertSecret(mirror, guarded, [answer.headers])
  })

  it('refuses who it does not know, which clients and the log are told in words', async (t) => {
    const { upstream, guarded, mirror } = await guardedRig(
      t,
      { scheme: 'bearer', user: 'robot:other' },
      { username: 'robot', password: PASSWORD },
    )
    await pushImage(upstream, { name: 'org/app', tag: 'v1' })

    const answer = await mirror.ask('GET', '/v2/up.example/org/app/manifests/v1')

    assert.deepEqual(errorOf(answer), [
      403,
      'DENIED',
      `Upstream up.example gives no token for org/app: 127.0.0.1:${guarded.port} answers 401.`,
    ])
    assert.equal(answer.headers['www-authenticate'], undefined)
    assertSecret(mirror, guarded, [answer.headers, answer.json])
  })

  it('is asked for a new token when the old one has become worthless', async (t) => {
    const { upstream, guarded, mirror } = await guardedRig(t, { scheme: 'bearer' }, { tag_ttl: 0 })
    await pushImage(upstream, { name: 'org/app', tag: 'v1' })
    await mirror.ask('GET', '/v2/up.example/org/app/manifests/v1')
    guarded.revoke()

    const { status, headers } = await mirror.ask('GET', '/v2/up.example/org/app/manifests/v1')

    assert.deepEqual([status, headers.warning], [200, undefined])
  })

  it('is asked for a new token before the old one ends', async (t) => {
    const { upstream, guarded, mirror } = await guardedRig(t, { scheme: 'bearer', expires_in: 4 }, { tag_ttl: 0 })
    await pushImage(upstream, { name: 'org/app', tag: 'v1' })

    for (const _ of [1, 2]) await mirror.ask('GET', '/v2/up.example/org/app/manifests/v1')

    const lines = guarded.asked.map(({ line }) => line.replace(/\?.*/, ''))
    assert.deepEqual(lines, [
      'GET /v2/org/app/manifests/v1',
      'GET /token',
      'GET /v2/org/app/manifests/v1',
      'GET /token',
      'HEAD /v2/org/app/manifests/v1',
    ])
  })

  it('may send blobs from elsewhere, where no token is shown', async (t) => {
    const storage = await testRegistry(t)
    const elsewhere = await faultInjector(t, () => storage.port)
    const { upstream, mirror } = await guardedRig(t, { scheme: 'bearer', redirectTo: () => elsewhere.port })
    await pushImage(upstream, { name: 'org/app', tag: 'v1' })
    const { layer, layerDigest } = await pushImage(storage, { name: 'org/app', tag: 'v1' })

    const { body } = await mirror.ask('GET', `/v2/up.example/org/app/blobs/${layerDigest}`)

    assert.ok(body.equals(layer))
    assert.deepEqual(
      elsewhere.asked.map(({ headers }) => headers.authorization),
      [undefined],
    )
  })
})

describe('an upstream that wants a password', () => {
  it('is told it, only after it has asked', async (t) => {
    const { upstream, guarded, mirror } = await guardedRig(
      t,
      { scheme: 'basic', user: `robot:${PASSWORD}` },
      { username: 'robot', password: PASSWORD },
    )
    await pushImage(upstream, { name: 'org/app', tag: 'v1' })

    const answer = await mirror.ask('GET', '/v2/up.example/org/app/manifests/v1')

    assert.equal(answer.status, 200)
    assert.deepEqual(
      guarded.asked.map(({ authorization }) => authorization),
      [undefined, `Basic ${Buffer.from(`robot:${PASSWORD}`).toString('base64')}`],
    )
    assertSecret(mirror, guarded, [answer.headers])
  })

  it('may find it in a pull secret', async (t) => {
    const upstream = await testRegistry(t)
    const guarded = await guardedUpstream(t, () => upstream.port, { scheme: 'basic', user: `robot:${PASSWORD}` })
    const pull_secret = join(temporaryFolder(t), 'auth.json')
    const auth = Buffer.from(`robot:${PASSWORD}`).toString('base64')
    writeFileSync(
      pull_secret,
      JSON.stringify({ auths: { 'other.example': {}, [`127.0.0.1:${guarded.port}`]: { auth } } }),
    )
    const upstreams = [upstreamNamed('up.example', { url: guarded.url, pull_secret })]
    const mirror = await testRegistry(t, { upstreams }, { patience: HURRIED })
    await pushImage(upstream, { name: 'org/app', tag: 'v1' })

    assert.equal((await mirror.ask('GET', '/v2/up.example/org/app/manifests/v1')).status, 200)
  })
})

describe('an upstream with TLS', () => {
  it('is trusted by its CA, or not at all, or in any case when that is wanted', async (t) => {
    const folder = temporaryFolder(t)
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'],
        ...['-subj', '/CN=upstream', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert],
      ],
      { stdio: 'ignore' },
    )
    const upstream = await testRegistry(t)
    await pushImage(upstream, { name: 'org/app', tag: 'v1' })
    const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, ({ method, url }, response) => {
      request({ host: '127.0.0.1', port: upstream.port, method, path: url }, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers)
        answer.pipe(response)
      }).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.after(() => server.close())
    t.after(() => server.closeAllConnections())
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
    const upstreams = [
      upstreamNamed('with-ca', { url, insecure: false, ca_file: cert }),
      upstreamNamed('without-ca', { url, insecure: false }),
      upstreamNamed('insecure', { url, insecure: true }),
    ]
    const mirror = await testRegistry(t, { upstreams }, { patience: HURRIED })

    const statuses = []
    for (const { name } of upstreams)
      statuses.push((await mirror.ask('GET', `/v2/${name}/org/app/manifests/v1`)).status)

    assert.deepEqual(statuses, [200, 503, 200])
  })
})
