/** Who is let through, and as whom; from outside it is attacked in test/attacks/faces.e2e.test.ts. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Role } from '../../../appliance/access/caller.ts'
import { type Asking, admit, type DoorGiven } from '../../../appliance/access/door.ts'
import { hostIn } from '../../../appliance/access/hosts.ts'
import { Unauthorized } from '../../../appliance/access/refusals.ts'

/** Anybody who names a role has it. */
const login = {
  async check(authorization: string | undefined) {
    if (authorization === undefined) throw new Unauthorized('Authorization required')
    return { user: 'alice', role: authorization as Role }
  },
}
const OPEN: DoorGiven = {
  login: undefined,
  isOwnHost: (host) => ['192.0.2.1', 'box', '2001:db8::1'].includes(host),
  origins: ['https://proxy.example'],
  isSecure: false,
}

function ask(given: Partial<Omit<Asking, 'header'>> & { headers?: Record<string, string> }, door = OPEN) {
  const { headers = {}, ...more } = given
  const header = (name: string) => headers[name]
  const asking = { method: 'GET', path: '/v1/nodes', hosts: ['box:6385'], address: '192.0.2.9', via: 'tcp' as const }
  return admit({ ...asking, header, ...more }, door)
}
const refused = (code: number) => ({ code })

describe('the door of the API', () => {
  it('knows this box by its names and addresses, with any port', async () => {
    for (const host of ['box', 'BOX:1', 'box.', '192.0.2.1:6385', '[2001:db8::1]:6385', '[2001:DB8:0::1]'])
      assert.deepEqual(await ask({ hosts: [host] }), { role: 'admin', address: '192.0.2.9', via: 'tcp' }, host)
    for (const host of ['box.example', '192.0.2.2', 'box@evil', 'evil/box', '', '[2001:db8::2]', 'box:6385:1'])
      await assert.rejects(ask({ hosts: [host] }), refused(400), host)
    await assert.rejects(ask({ hosts: ['box', 'box'] }), refused(400))
    await assert.rejects(ask({ target: 'evil' }), refused(400))
    assert.ok(await ask({ hosts: [] }))
    assert.equal(hostIn('[::1]:80'), '::1')
  })

  it('takes pages from here and from [api] public_endpoint, and of no other origin', async () => {
    for (const origin of ['http://box:6385', 'https://proxy.example']) assert.ok(await ask({ headers: { origin } }))
    for (const origin of ['http://box', 'https://box:6385', 'null', 'https://proxy.example.evil'])
      await assert.rejects(ask({ headers: { origin } }), refused(403), origin)
    await assert.rejects(ask({ headers: { 'sec-fetch-site': 'same-site' } }), refused(403))
  })

  it('takes bodies of a write that say they are JSON, over the unix socket as well', async () => {
    const send = (type: string | undefined, via: 'tcp' | 'socket' = 'tcp') =>
      ask({ method: 'PATCH', via, headers: { 'content-length': '2', ...(type && { 'content-type': type }) } })

    for (const type of ['application/json', 'application/json; charset=utf-8', 'application/json-patch+json'])
      assert.ok(await send(type), type)
    for (const type of ['text/plain', 'application/jsonx', 'text/application/json', undefined]) {
      await assert.rejects(send(type), refused(415), type)
      await assert.rejects(send(type, 'socket'), refused(415), type)
    }
    assert.ok(await ask({ method: 'DELETE' }))
    assert.ok(await ask({ method: 'PUT', headers: { 'content-length': '0' } }))
    await assert.rejects(ask({ method: 'PUT', headers: { 'transfer-encoding': 'chunked' } }), refused(415))
  })

  it('with users lets machines look themselves up, and everybody else log in', async () => {
    const door = { ...OPEN, login }
    const machine = { role: 'machine', address: '192.0.2.9', via: 'tcp' }

    for (const path of ['/', '/v1', '/v1/', '/v1/lookup', '/lookup', '/v1/heartbeat/abc-1', '/healthz', '/ca.crt'])
      assert.deepEqual(await ask({ path }, door), machine, path)
    for (const path of ['/v1/nodes', '/nodes', '/v1/lookup/x', '/v1/heartbeat/a/b', '/metrics', '/healthz/x', '//v1'])
      await assert.rejects(ask({ path }, door), refused(401), path)
    assert.deepEqual(await ask({ path: '/healthz', headers: { authorization: 'observer' } }, door), {
      ...{ user: 'alice', role: 'observer', address: '192.0.2.9', via: 'tcp' },
    })
    assert.deepEqual(await ask({ via: 'socket', address: '', hosts: ['any'] }, door), {
      ...{ role: 'admin', address: '', via: 'socket' },
    })
  })

  it('lets an observer read, an operator and an administrator write', async () => {
    const write = (role: string) => ask({ method: 'DELETE', headers: { authorization: role } }, { ...OPEN, login })

    await assert.rejects(write('observer'), {
      ...refused(403),
      message: 'User alice has the role observer, and may read and change nothing.',
    })
    assert.equal((await write('operator')).role, 'operator')
    assert.equal((await write('admin')).role, 'admin')
  })
})
