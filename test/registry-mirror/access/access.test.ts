/** Who may do what: without any credentials, with users, with tokens, by rules. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { isKnownHash, Passwords } from '@appliance/ground/passwords'
import { parseHtpasswd } from '../../../registry-mirror/access/credentials.ts'
import { parseRules } from '../../../registry-mirror/access/rules.ts'
import { Sessions } from '../../../registry-mirror/access/session.ts'
import type { RegistryConfig } from '../../../registry-mirror/index.ts'
import {
  askPort,
  errorOf,
  imageIn,
  pushManifest,
  sha256,
  someBytes,
  temporaryFolder,
  testRegistry,
} from '../registry.ts'

const sha = (password: string) => `{SHA}${createHash('sha1').update(password).digest('base64')}`
const basic = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
})

function withUsers(t: TestContext, change: Partial<RegistryConfig> = {}) {
  const folder = temporaryFolder(t)
  const htpasswd_file = join(folder, 'htpasswd')
  const token_file = join(folder, 'tokens')
  writeFileSync(htpasswd_file, `# who pushes\nalice:${sha('secret')}\nbob:${sha('other')}\n`)
  writeFileSync(token_file, `ci:${sha256('0123456789').slice('sha256:'.length)}\n`)
  return testRegistry(t, { htpasswd_file, token_file, ...change })
}
const push = (name: string) => ['POST', `/v2/${name}/blobs/uploads/`] as const

describe('a socket for pulls alone', () => {
  it('takes nothing and deletes nothing, where anybody on this box may do both', async (t) => {
    const registry = await testRegistry(t)
    const manifest = await imageIn(registry, 'own/app')
    const digest = sha256(manifest)
    await pushManifest(registry, { name: 'own/app', reference: 'v1' }, manifest)
    const port = await registry.openForPulls()

    const asked = async (method: string, path: string) => (await askPort(port, method, path)).status

    assert.deepEqual(
      [
        await asked('GET', '/v2/'),
        await asked('HEAD', `/v2/own/app/manifests/${digest}`),
        await asked('GET', `/v2/own/app/manifests/${digest}`),
      ],
      [200, 200, 200],
    )
    assert.deepEqual(
      [
        await asked('POST', '/v2/own/app/blobs/uploads/'),
        await asked('PUT', '/v2/own/app/manifests/v1'),
        await asked('DELETE', `/v2/own/app/manifests/${digest}`),
        await asked('GET', '/metrics'),
      ],
      [405, 405, 405, 404],
    )
    assert.equal((await registry.ask('GET', `/v2/own/app/manifests/${digest}`)).status, 200)
  })

  it('is closed with the registry', async (t) => {
    const registry = await testRegistry(t)
    const port = await registry.openForPulls()

    await registry.restart()

    await assert.rejects(askPort(port, 'GET', '/v2/'), { code: 'ECONNREFUSED' })
  })
})

describe('a registry without credentials', () => {
  it('takes pushes of anybody on a loopback address, and of nobody on others', async (t) => {
    const local = await testRegistry(t)
    const open = await testRegistry(t, { host_ip: '0.0.0.0' })

    assert.equal((await local.ask(...push('app'))).status, 202)
    assert.equal((await open.ask('GET', '/v2/')).status, 200)
    assert.deepEqual(errorOf(await open.ask(...push('app'))), [
      403,
      'DENIED',
      'Nobody may push to repository app: this registry is open to other machines and knows no credentials. Set [registry] htpasswd_file, or access_rules.',
    ])
  })

  it('takes pushes of anybody where a rule says so', async (t) => {
    const registry = await testRegistry(t, { host_ip: '0.0.0.0', access_rules: ['scratch/* push anyone'] })

    assert.equal((await registry.ask(...push('scratch/app'))).status, 202)
    assert.equal((await registry.ask(...push('app'))).status, 403)
  })
})

describe('a registry with users', () => {
  it('lets anybody pull, and only users push and delete', async (t) => {
    const registry = await withUsers(t)

    const pulled = await registry.ask('GET', `/v2/app/blobs/${sha256('x')}`)
    const refused = await registry.ask(...push('app'))
    const wrong = await registry.ask(...push('app'), { headers: basic('alice', 'wrong') })
    const unknown = await registry.ask(...push('app'), { headers: basic('carol', 'secret') })
    const right = await registry.ask(...push('app'), { headers: basic('alice', 'secret') })
    const deleted = await registry.ask('DELETE', `/v2/app/blobs/${sha256('x')}`)

    assert.deepEqual(
      [pulled, refused, wrong, unknown, right, deleted].map(({ status }) => status),
      [404, 401, 401, 401, 202, 401],
    )
    assert.equal(
      refused.headers['www-authenticate'],
      `Bearer realm="http://127.0.0.1:${registry.port}/v2/token",service="registry",scope="repository:app:pull,push"`,
    )
    assert.deepEqual(errorOf(refused), [401, 'UNAUTHORIZED', 'Credentials are needed to push to repository app.'])
  })

  it('tells at /v2/ how to get in, and gives tokens: for a password, or for nobody in particular', async (t) => {
    const registry = await withUsers(t)
    const tokenOf = async (headers?: Record<string, string>) =>
      (await registry.ask('GET', '/v2/token?service=registry', headers ? { headers } : {})).json?.token

    const asked = await registry.ask('GET', '/v2/')
    const nobody = { authorization: `Bearer ${await tokenOf()}` }
    const alice = { authorization: `Bearer ${await tokenOf(basic('alice', 'secret'))}` }

    assert.equal(asked.status, 401)
    assert.equal((await registry.ask('GET', '/v2/', { headers: nobody })).status, 200)
    assert.equal((await registry.ask(...push('app'), { headers: nobody })).status, 401)
    assert.equal((await registry.ask(...push('app'), { headers: alice })).status, 202)
    assert.equal((await registry.ask('GET', '/v2/token', { headers: basic('alice', 'wrong') })).status, 401)
  })

  it('takes tokens of its token_file', async (t) => {
    const registry = await withUsers(t)

    const right = await registry.ask(...push('app'), { headers: { authorization: 'Bearer 0123456789' } })
    const wrong = await registry.ask(...push('app'), { headers: { authorization: 'Bearer 01234567890' } })

    assert.deepEqual([right.status, wrong.status], [202, 401])
  })

  it('asks everybody for credentials when anonymous_pull is off', async (t) => {
    const registry = await withUsers(t, { anonymous_pull: false })

    assert.equal((await registry.ask('GET', '/v2/app/tags/list')).status, 401)
    assert.equal((await registry.ask('GET', '/v2/app/tags/list', { headers: basic('bob', 'other') })).status, 404)
  })

  it('heeds the first rule that matches', async (t) => {
    const access_rules = ['team/secret/* pull alice', 'team/* push,delete bob', '* push nobody']
    const registry = await withUsers(t, { access_rules })
    const statusOf = async (ask: readonly [string, string], user: string, password: string) =>
      (await registry.ask(...ask, { headers: basic(user, password) })).status

    assert.equal(await statusOf(push('team/app'), 'bob', 'other'), 202)
    assert.equal(await statusOf(push('team/app'), 'alice', 'secret'), 403)
    assert.equal(await statusOf(push('app'), 'bob', 'other'), 403)
    assert.equal(await statusOf(['GET', '/v2/team/secret/app/tags/list'], 'alice', 'secret'), 404)
    assert.equal(await statusOf(['GET', '/v2/team/secret/app/tags/list'], 'bob', 'other'), 403)
    assert.equal(await statusOf(['GET', '/v2/secret/app/tags/list?ns=team'], 'bob', 'other'), 403)
    assert.equal(await statusOf(['GET', `/v2/secret/app/blobs/${sha256('')}?ns=team`], 'bob', 'other'), 403)
  })

  it('mounts nothing from where the client may not pull', async (t) => {
    const access_rules = ['secret/* pull alice', '* push users']
    const registry = await withUsers(t, { access_rules })
    const bytes = someBytes()
    const alice = basic('alice', 'secret')
    const path = `/v2/secret/app/blobs/uploads/?digest=${sha256(bytes)}`
    assert.equal((await registry.ask('POST', path, { body: bytes, headers: alice })).status, 201)
    const mount = `/v2/app/blobs/uploads/?mount=${sha256(bytes)}`

    const headers = basic('bob', 'other')
    const statuses = [
      await registry.ask('POST', `${mount}&from=secret/app`, { headers }),
      await registry.ask('POST', mount, { headers }),
      await registry.ask('POST', `${mount}&from=secret/app`, { headers: alice }),
    ].map(({ status }) => status)

    assert.deepEqual(statuses, [202, 202, 201])
  })
})

describe('passwords', () => {
  for (const [name, hash] of [
    ['bcrypt', '$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a'],
    [
      'SHA-crypt of 512 bits',
      '$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1',
    ],
    ['SHA-crypt of 256 bits', '$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA'],
    ['yescrypt', '$y$j9T$saltsalt$VuCHcCYYVuebTL.IxzSml3z./71e36sys.wEb95cM54'],
    ['{SHA}', sha('secret')],
  ] as const) {
    it(`are checked by ${name}`, async () => {
      const passwords = new Passwords(() => new Error('too many'))

      assert.equal(isKnownHash(hash), true)
      assert.equal(await passwords.isRight('secret', hash), true)
      assert.equal(await passwords.isRight('Secret', hash), false)
    })
  }

  it('cannot be of a kind that is not known here: the file is refused, with its line and what is', () => {
    assert.throws(() => parseHtpasswd('# x\nalice:$apr1$salt$VEpBc9VHGUKwI9.yg13Iu0\n', '/etc/htpasswd'), {
      message:
        '/etc/htpasswd:2: the password of alice is kept in a way that is not known here: expected bcrypt ($2y$, htpasswd -B), ' +
        'SHA-crypt ($5$ or $6$, htpasswd -2 or -5, openssl passwd -6), yescrypt ($y$, mkpasswd) or {SHA} (htpasswd -s). Set it again in one of these.',
    })
  })

  it('that are very long or hold line breaks are wrong', async () => {
    const passwords = new Passwords(() => new Error('too many'))

    assert.equal(await passwords.isRight(`secret\n${'x'.repeat(10)}`, sha(`secret\n${'x'.repeat(10)}`)), false)
    assert.equal(await passwords.isRight('x'.repeat(300), sha('x'.repeat(300))), false)
  })
})

describe('a token of the registry', () => {
  it('ends after five minutes, and cannot be changed', () => {
    const sessions = new Sessions()
    const token = sessions.issue({ user: 'alice' }, 1_000_000)
    const [body = '', signature = ''] = token.split('.')
    const other = Buffer.from(JSON.stringify({ user: 'root', until: 9e15 })).toString('base64url')

    assert.deepEqual(sessions.callerOf(token, 1_299_000), { user: 'alice' })
    assert.equal(sessions.callerOf(token, 1_301_000), undefined)
    assert.equal(sessions.callerOf(`${other}.${signature}`, 1_000_000), undefined)
    assert.equal(sessions.callerOf(body, 1_000_000), undefined)
    assert.equal(new Sessions().callerOf(token, 1_000_000), undefined)
  })
})

describe('an access rule', () => {
  it('is refused when it is none', () => {
    assert.throws(() => parseRules(['team/* push']), {
      message:
        "[registry] access_rules: 'team/* push' is no rule: expected PATTERN ACTIONS WHO, such as 'team-a/* push,delete alice,bob': " +
        '* in a pattern stands for anything; ACTIONS are of pull, push, delete; WHO is anyone, users, nobody, or names.',
    })
  })
})
