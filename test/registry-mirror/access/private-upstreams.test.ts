/** Who may pull what the mirror itself needs credentials for, and what everybody else is told. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { askRegistry, checkRegistry, type RegistryConfig } from '../../../registry-mirror/index.ts'
import { exportFrom } from '../bundle/bundles.ts'
import { configOf, errorOf, logTo, type TestRegistry, temporaryFolder } from '../registry.ts'
import { upstreamNamed } from '../upstream/mirror.ts'
import { ALICE, BOB, basic, CREDENTIALS, heldIn, NAME, privateRig, withUsers } from './private-rig.ts'

const MANIFEST = `/v2/${NAME}/manifests/v1`
const SECRET = Buffer.from(`${CREDENTIALS.username}:${CREDENTIALS.password}`).toString('base64')
const REMEDY =
  "Log in, which [registry] htpasswd_file lets its users do; or let the operator add 'up.example/org/app pull anyone' to access_rules, or set public = True in [upstream:up.example]."

const asked = (mirror: TestRegistry, headers: Record<string, string> = {}) => mirror.ask('GET', MANIFEST, { headers })
const statusOf = async (mirror: TestRegistry, headers?: Record<string, string>) => (await asked(mirror, headers)).status

/** As podman does it: a token for this repository, had by what it logs in with. */
async function statusByToken(mirror: TestRegistry, headers: Record<string, string>): Promise<number> {
  const { json } = await mirror.ask('GET', `/v2/token?service=registry&scope=repository:${NAME}:pull`, { headers })
  return statusOf(mirror, { authorization: `Bearer ${json?.token}` })
}

describe('what an upstream gives for credentials of the mirror', () => {
  it('is for users, by a password or a token, and nobody else: who has none is told what to do', async (t) => {
    const { mirror } = await privateRig(t, withUsers(t))

    const refused = await asked(mirror)

    assert.deepEqual(errorOf(refused), [
      401,
      'UNAUTHORIZED',
      `Nobody may pull from repository ${NAME} without credentials of this registry, since it comes by those of [upstream:up.example]. ${REMEDY}`,
    ])
    assert.match(
      String(refused.headers['www-authenticate']),
      /^Bearer .*scope="repository:up\.example\/org\/app:pull"$/,
    )
    assert.deepEqual([await statusOf(mirror, ALICE), await statusByToken(mirror, ALICE)], [200, 200])
  })

  it('is for nobody on a registry that knows no credentials and that others reach', async (t) => {
    const { mirror } = await privateRig(t)

    assert.deepEqual(errorOf(await asked(mirror)), [
      403,
      'DENIED',
      `Nobody may pull from repository ${NAME} without credentials of this registry, since it comes by those of [upstream:up.example]. ${REMEDY}`,
    ])
  })

  const rules: readonly [string, readonly string[], readonly [number, number, number]][] = [
    ['for anybody where a rule names the repository', [`${NAME} pull anyone`], [200, 200, 200]],
    ['for anybody where a rule begins with the upstream', ['up.example/* pull anyone'], [200, 200, 200]],
    ['for anybody where it does so behind one for all', ['* pull anyone', `${NAME} pull anyone`], [200, 200, 200]],
    ['for whom a rule names', ['up.example/* pull alice'], [401, 200, 403]],
    ['for nobody where a rule says so', ['* pull nobody'], [403, 403, 403]],
    ['for users where a rule opens all repositories', ['* pull anyone'], [401, 200, 200]],
    ['for users where a rule opens one whose name goes on', [`${NAME}-x pull anyone`], [401, 200, 200]],
  ]
  for (const [what, access_rules, wanted] of rules)
    it(`is ${what}`, async (t) => {
      const { mirror } = await privateRig(t, { ...withUsers(t), access_rules })

      const statuses = [await statusOf(mirror), await statusOf(mirror, ALICE), await statusOf(mirror, BOB)]

      assert.deepEqual(statuses, wanted)
    })

  it('is for everybody with public = True, which the log says once', async (t) => {
    const { mirror } = await privateRig(t, {}, { public: true })

    const statuses = [await statusOf(mirror), await statusOf(mirror)]

    assert.deepEqual(statuses, [200, 200])
    assert.deepEqual(
      mirror.lines.filter(({ level }) => level === 'warn'),
      [
        {
          level: 'warn',
          message: "whoever reaches the registry pulls with an upstream's credentials",
          upstream: 'up.example',
        },
      ],
    )
  })

  it('is for this box on a registry that it alone reaches and that knows no credentials', async (t) => {
    const { mirror } = await privateRig(t, { host_ip: '127.0.0.1' })
    const { mirror: closed } = await privateRig(t, { host_ip: '127.0.0.1', ...withUsers(t) })

    assert.deepEqual([await statusOf(mirror), await statusOf(closed)], [200, 401])
  })

  it('is for commands of this box: a bundle of it is made', async (t) => {
    const { mirror, pushed } = await privateRig(t)

    const { index } = await exportFrom(t, mirror, { images: [`${NAME}:v1`] })

    assert.equal(index.images[0]?.digest, pushed.digest)
  })

  it('is for what sync names', async (t) => {
    const { mirror } = await privateRig(t, withUsers(t), { sync: ['org/app:v1'] })
    const request = { ask: 'run', job: 'sync:up.example' } as const

    const answer = await askRegistry(configOf(mirror.folder), logTo([]), { request })

    assert.equal('counts' in answer && answer.counts.images, 1)
  })
})

describe('a node whose image comes by credentials of the mirror', () => {
  it('is deployed by a ticket, which ends with the deploy, on the rack and in a guest', async (t) => {
    for (const host_ip of ['0.0.0.0', '127.0.0.1']) {
      const { mirror } = await privateRig(t, { host_ip })
      const image = await heldIn(mirror)
      const { ticket, guarded } = await mirror.images.access(image, { owner: 'node:1' })
      const headers = basic(ticket?.username ?? '', ticket?.password ?? '')

      const during = [await statusOf(mirror, headers), await statusByToken(mirror, headers)]
      await mirror.images.revoke('node:1')

      assert.deepEqual([guarded, ...during], [true, 200, 200])
    }
  })

  it('is asked for its ticket, so that a client that logs in only then does', async (t) => {
    const { mirror } = await privateRig(t)
    await mirror.images.access(await heldIn(mirror), { owner: 'node:1' })

    const { status, headers } = await asked(mirror)

    assert.deepEqual([status, (await mirror.ask('GET', '/v2/')).status], [401, 401])
    assert.match(String(headers['www-authenticate']), /^Bearer /)
  })

  it('upgrades by its own pull secret, also after a restart', async (t) => {
    const { mirror } = await privateRig(t)
    await heldIn(mirror, SECRET)
    const secret = { authorization: `Basic ${SECRET}` }

    const before = [await statusOf(mirror, secret), await statusOf(mirror, basic('robot', 'wrong'))]
    await mirror.restart()

    assert.deepEqual([...before, await statusOf(mirror, secret), await statusOf(mirror)], [200, 401, 200, 401])
  })

  it('needs no ticket, and leaves no guard, where the operator opened the upstream', async (t) => {
    for (const [change, section] of [
      [{}, { public: true }],
      [{ access_rules: ['up.example/* pull anyone'] }, {}],
    ] as const) {
      const { mirror } = await privateRig(t, change, section)
      const image = await heldIn(mirror, SECRET)

      const { ticket, guarded } = await mirror.images.access(image, { owner: 'node:1' })

      assert.deepEqual([guarded, ticket, await statusOf(mirror)], [false, undefined, 200])
    }
  })
})

describe('public of an upstream', () => {
  const warningsOf = async (t: TestContext, section: Record<string, unknown>) => {
    const upstreams = [upstreamNamed('up.example', { url: 'https://up.example', ...section })]
    const config: RegistryConfig = { ...configOf(temporaryFolder(t)), upstreams }
    return (await checkRegistry(config)).warnings
  }

  it('is warned of where it has credentials', async (t) => {
    assert.deepEqual(await warningsOf(t, { ...CREDENTIALS, public: true }), [
      '[upstream:up.example] public is True: whoever reaches the registry pulls with its credentials, private images too.',
    ])
    assert.deepEqual(await warningsOf(t, CREDENTIALS), [])
    assert.deepEqual(await warningsOf(t, { public: true }), [])
  })
})
