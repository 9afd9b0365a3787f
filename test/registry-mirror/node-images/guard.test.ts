/**
 * Images that only a pull secret can have: the mirror keeps them for who has it, for the machine with a ticket, and
 * for its users.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { errorOf, type TestRegistry, temporaryFolder, testRegistry } from '../registry.ts'
import { faultInjector } from '../upstream/fault-injector.ts'
import { until, upstreamNamed } from '../upstream/mirror.ts'
import { pushBootable } from './images.ts'
import { AMD64, base64, holdBySecret, REFERENCE, SECRET, secretRig } from './secret-rig.ts'

const MANIFEST = '/v2/up.example/org/app/manifests/v1'

const statusOf = async (mirror: TestRegistry, authorization?: string, path = MANIFEST) =>
  (await mirror.ask('GET', path, authorization === undefined ? {} : { headers: { authorization } })).status

/** As podman and docker do: where to ask for a token is told at /v2/, and so is who to be. */
async function statusByToken(mirror: TestRegistry, authorization?: string): Promise<number> {
  const headers: Record<string, string> = authorization === undefined ? {} : { authorization }
  const { headers: told } = await mirror.ask('GET', '/v2/')
  const [, realm = ''] = /^Bearer realm="([^"]+)"/.exec(String(told['www-authenticate'])) ?? []
  const { pathname } = new URL(realm)
  const given = await mirror.ask('GET', `${pathname}?service=registry&scope=repository:up.example/org/app:pull`, {
    headers,
  })
  return statusOf(mirror, `Bearer ${given.json?.token}`)
}

/** Everything that was written or told; nothing of it may hold a secret. */
function assertUntold(mirror: TestRegistry, secrets: readonly string[], told: unknown = []): void {
  const texts = [JSON.stringify([mirror.lines, told])]
  for (const entry of readdirSync(mirror.folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) texts.push(readFileSync(join(entry.parentPath, entry.name), 'latin1'))
  for (const secret of secrets) assert.ok(!texts.some((text) => text.includes(secret)), `'${secret}' was told`)
}

describe('inspecting with a pull secret', () => {
  for (const scheme of ['basic', 'bearer'] as const)
    it(`shows it to the registry alone, which may refuse it (${scheme})`, async (t) => {
      const { mirror, built } = await secretRig(t, scheme)
      const inspect = (secret?: string) => mirror.images.inspect(REFERENCE, { ...AMD64, ...(secret && { secret }) })
      const told = (secret?: string) => inspect(secret).then(String, ({ message }: Error) => message)

      assert.equal((await inspect(SECRET)).digest, built.digest)
      // What was found out with the right one helps no other.
      assert.equal(
        await told(base64('robot:wrong')),
        `Image ${REFERENCE} cannot be had: registry up.example refuses the pull secret.`,
      )
      assert.equal(
        await told(),
        `Image ${REFERENCE} cannot be had: registry up.example asks for credentials, or has no such image. Set a pull secret.`,
      )
      assert.equal(
        await told(base64('nonsense')),
        'The pull secret is none: expected base64 of USER:PASSWORD, as a registry auth file has it.',
      )
      assertUntold(mirror, [SECRET, 'pa55:word'])
    })
})

describe('an image that was had with a pull secret', () => {
  it('is not named in the list of repositories', async (t) => {
    const { mirror } = await secretRig(t)
    await pushBootable(mirror, { name: 'own/app', tag: 'v1' })
    await holdBySecret(mirror)

    const listed = async (headers: Record<string, string> = {}) =>
      (await mirror.ask('GET', '/v2/_catalog', { headers })).json

    assert.deepEqual(await listed(), { repositories: ['own/app'] })
    assert.deepEqual(await listed({ authorization: `Basic ${SECRET}` }), { repositories: ['own/app'] })
  })

  it('is only for who has it, also after a restart, and when the upstream is dead', async (t) => {
    const { mirror, injector, built } = await secretRig(t)
    await holdBySecret(mirror)
    const all = async () => [
      await statusOf(mirror),
      await statusOf(mirror, `Basic ${SECRET}`),
      await statusOf(mirror, `Basic ${base64('robot:other')}`),
      await statusByToken(mirror),
      await statusByToken(mirror, `Basic ${SECRET}`),
      await statusByToken(mirror, `Basic ${base64('robot:other')}`),
      await statusOf(mirror, undefined, `/v2/up.example/org/app/blobs/${built.layerDigests[0]}`),
      await statusOf(mirror, undefined, '/v2/up.example/org/app/tags/list'),
      await statusOf(mirror, undefined, '/v2/org/app/manifests/v1?ns=up.example'),
      await statusOf(mirror, undefined, `/v2/up.example/org/app/referrers/${built.digest}`),
    ]
    const wanted = [401, 200, 401, 401, 200, 401, 401, 401, 401, 401]

    assert.deepEqual(await all(), wanted)
    await mirror.restart()
    injector.fault(/./, { refuses: true })
    assert.deepEqual(await all(), wanted)
    assert.deepEqual(errorOf(await mirror.ask('GET', MANIFEST)), [
      401,
      'UNAUTHORIZED',
      'Repository up.example/org/app is kept for who has its pull secret.',
    ])
    assertUntold(mirror, [SECRET, 'pa55:word'])
  })

  it('is deployed again with that secret when the upstream is dead, and with no other', async (t) => {
    // A token service that lives would refuse the wrong one by itself.
    const { mirror, injector } = await secretRig(t, 'basic')
    const image = await holdBySecret(mirror)
    await mirror.images.release('node:1')
    injector.fault(/./, { refuses: true })
    const inspect = (secret?: string) => mirror.images.inspect(REFERENCE, { ...AMD64, ...(secret && { secret }) })

    const { warning, ...again } = await inspect(SECRET)
    await mirror.images.hold(again, { owner: 'node:2', secret: SECRET })

    assert.match(String(warning), /cannot be reached/)
    assert.deepEqual(again, image)
    for (const other of [base64('robot:other'), undefined])
      await assert.rejects(inspect(other), {
        problem: 'unreachable',
        message: /What is here of it is only for who has its pull secret\.$/,
      })
    await assert.rejects(mirror.images.hold(image, { owner: 'node:3', secret: base64('robot:other') }), {
      message: `Image ${REFERENCE} cannot be held: its registry cannot be asked whether the pull secret is right.`,
    })
  })

  it('is followed by its tag with the secret that a client has, also after a restart', async (t) => {
    const { mirror, upstream } = await secretRig(t)
    await holdBySecret(mirror)
    await mirror.restart()
    const second = await pushBootable(upstream, { name: 'org/app', tag: 'v1' })

    const { headers } = await mirror.ask('GET', MANIFEST, { headers: { authorization: `Basic ${SECRET}` } })

    assert.equal(headers['docker-content-digest'], second.digest)
  })

  it('is no longer for a secret that its registry refuses by now', async (t) => {
    const { mirror, injector } = await secretRig(t)
    const image = await holdBySecret(mirror)
    injector.fault(/manifests|token/, { status: 401 })

    const holding = mirror.images.hold(image, { owner: 'node:2', secret: SECRET })

    await assert.rejects(holding, { problem: 'refused' })
    injector.heal()
    assert.equal(await statusOf(mirror, `Basic ${SECRET}`), 401)
  })

  it('stays for everybody where its registry gives it to everybody', async (t) => {
    const upstream = await testRegistry(t)
    const injector = await faultInjector(t, () => upstream.port)
    const mirror = await testRegistry(t, { upstreams: [upstreamNamed('up.example', { url: injector.url })] })
    await pushBootable(upstream, { name: 'org/app', tag: 'v1' })

    const image = await holdBySecret(mirror)

    assert.equal(await statusOf(mirror), 200)
    assert.deepEqual((await mirror.images.access(image, { owner: 'node:1' })).guarded, false)
  })

  it('is for everybody again once its registry gives it to everybody, and not because it cannot be asked', async (t) => {
    const { mirror, injector, guard } = await secretRig(t)
    const image = await holdBySecret(mirror)
    injector.fault(/./, { status: 429 })
    await mirror.images.hold(image, { owner: 'node:2', secret: SECRET })
    const limited = await statusOf(mirror)
    injector.heal()
    delete guard.user

    // Until it is asked again after the 429.
    await until(async () => {
      await mirror.images.hold(image, { owner: 'node:3', secret: SECRET })
      return (await statusOf(mirror)) === 200
    })
    await mirror.restart()

    assert.equal(limited, 401)
    assert.equal(await statusOf(mirror), 200)
  })

  it('does not close what was open because an upstream is asked too often', async (t) => {
    const upstream = await testRegistry(t)
    const injector = await faultInjector(t, () => upstream.port)
    const mirror = await testRegistry(t, { upstreams: [upstreamNamed('up.example', { url: injector.url })] })
    await pushBootable(upstream, { name: 'org/app', tag: 'v1' })
    const image = await mirror.images.inspect(REFERENCE, AMD64)
    await mirror.images.hold(image, { owner: 'node:1' })
    // Who is nobody in particular has used up what is allowed.
    injector.fault(/^HEAD/, { status: 429 }, 2)

    await mirror.images.hold(image, { owner: 'node:2', secret: SECRET }).catch(() => {})

    assert.equal(await statusOf(mirror), 200)
  })

  it('cannot be mounted into a repository that anybody may read', async (t) => {
    const { mirror, built } = await secretRig(t)
    await holdBySecret(mirror)
    const [layer] = built.layerDigests

    const statuses = []
    for (const from of ['', '&from=up.example/org/app'])
      statuses.push((await mirror.ask('POST', `/v2/own/blobs/uploads/?mount=${layer}${from}`)).status)

    // An upload begins instead.
    assert.deepEqual(statuses, [202, 202])
  })

  it('is for users of the registry as well', async (t) => {
    const folder = temporaryFolder(t)
    const htpasswd_file = join(folder, 'htpasswd')
    writeFileSync(htpasswd_file, `alice:{SHA}${createHash('sha1').update('secret').digest('base64')}\n`)
    const { mirror } = await secretRig(t, 'bearer', { htpasswd_file })
    await holdBySecret(mirror)

    const statuses = [
      await statusOf(mirror, `Basic ${base64('alice:secret')}`),
      await statusByToken(mirror, `Basic ${base64('alice:secret')}`),
      await statusByToken(mirror, `Basic ${SECRET}`),
      await statusOf(mirror, `Basic ${base64('alice:wrong')}`),
      await statusByToken(mirror),
      await statusOf(mirror, undefined, '/v2/_catalog'),
      await statusOf(mirror, `Basic ${base64('alice:secret')}`, '/v2/_catalog'),
    ]

    assert.deepEqual(statuses, [200, 200, 200, 401, 401, 401, 200])
  })
})

describe('a ticket', () => {
  it('lets a machine pull one image until its deploy is over, also after a restart', async (t) => {
    const { mirror, upstream } = await secretRig(t)
    await pushBootable(upstream, { name: 'org/other', tag: 'v1' })
    const image = await holdBySecret(mirror)
    const other = await mirror.images.inspect('up.example/org/other:v1', { ...AMD64, secret: SECRET })
    await mirror.images.hold(other, { owner: 'node:2', secret: SECRET })
    const { ticket, ...access } = await mirror.images.access(image, { owner: 'node:1', for: 'deploy' })
    assert.deepEqual(access, {
      location: `127.0.0.1:${mirror.port}/up.example/org/app`,
      registry: `127.0.0.1:${mirror.port}`,
      insecure: true,
      guarded: true,
    })
    const authorization = `Basic ${base64(`${ticket?.username}:${ticket?.password}`)}`
    await mirror.restart()

    const during = [
      await statusOf(mirror, authorization),
      await statusByToken(mirror, authorization),
      await statusOf(mirror, authorization, '/v2/up.example/org/other/manifests/v1'),
    ]
    assertUntold(mirror, [ticket?.password ?? 'none'])
    await mirror.images.revoke('node:1')

    assert.deepEqual(during, [200, 200, 401])
    assert.equal(await statusOf(mirror, authorization), 401)
    assert.equal((await mirror.images.access(image, { owner: 'node:1', for: 'host' })).ticket, undefined)
  })

  it('for work of this box itself ends with that work or with a restart, whatever becomes of its owner', async (t) => {
    const { mirror } = await secretRig(t)
    const image = await holdBySecret(mirror)
    const work = new AbortController()
    const lent = async () => {
      const { ticket } = await mirror.images.access(image, { owner: 'node:1', until: work.signal })
      assertUntold(mirror, [ticket?.password ?? 'none'])
      return `Basic ${base64(`${ticket?.username}:${ticket?.password}`)}`
    }
    const first = await lent()
    await mirror.images.release('node:1')

    const during = await statusOf(mirror, first)
    await mirror.restart()
    const restarted = await statusOf(mirror, first)
    const second = await lent()
    const again = await statusOf(mirror, second)
    work.abort()

    assert.deepEqual([during, restarted, again, await statusOf(mirror, second)], [200, 401, 200, 401])
    assert.equal(await statusOf(mirror, await lent()), 401)
  })

  it('pushes and deletes nothing', async (t) => {
    const { mirror, built } = await secretRig(t, 'basic', { access_rules: ['* push,delete nobody'] })
    const image = await holdBySecret(mirror)
    const { ticket } = await mirror.images.access(image, { owner: 'node:1' })
    const headers = { authorization: `Basic ${base64(`${ticket?.username}:${ticket?.password}`)}` }

    const pushed = await mirror.ask('POST', '/v2/own/blobs/uploads/', { headers })
    const deleted = await mirror.ask('DELETE', `/v2/up.example/org/app/manifests/${built.digest}`, { headers })

    assert.deepEqual([pushed.status, deleted.status], [403, 403])
  })

  it('is given where the registry lets nobody pull without credentials', async (t) => {
    const upstream = await testRegistry(t)
    await pushBootable(upstream, { name: 'org/app', tag: 'v1' })
    const upstreams = [upstreamNamed('up.example', { url: `http://127.0.0.1:${upstream.port}` })]
    const mirror = await testRegistry(t, { upstreams, anonymous_pull: false })
    const image = await mirror.images.inspect(REFERENCE, AMD64)
    await mirror.images.hold(image, { owner: 'node:1' })

    const { ticket, guarded } = await mirror.images.access(image, { owner: 'node:1' })

    const authorization = `Basic ${base64(`${ticket?.username}:${ticket?.password}`)}`
    assert.equal(guarded, true)
    assert.equal(await statusOf(mirror, authorization), 200)
  })
})
