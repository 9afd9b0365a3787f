/** Who reaches the API's port, or a page in an operator's browser, asks for what is not his. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type Box, sendRaw, startBox } from './box.ts'

type Answer = { status: number; headers: IncomingMessage['headers']; text: string }
type Asked = { method?: string; path: string; headers?: Record<string, string>; body?: string; socketPath?: string }

/** As fetch, but with any header, Host and Origin as well. */
async function ask(base: string, { method = 'GET', path, headers = {}, body, socketPath }: Asked): Promise<Answer> {
  const { hostname, port } = new URL(base)
  const place = socketPath === undefined ? { host: hostname, port } : { socketPath }
  const asked = request({ ...place, method, path, headers, agent: false })
  asked.end(body)
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  const text = (await response.toArray()).join('')
  return { status: response.statusCode ?? 0, headers: response.headers, text }
}

const JSON_TYPE = { 'content-type': 'application/json' }
const NODE = JSON.stringify({ driver: 'fake-hardware' })
const creates = (headers: Record<string, string> = {}): Asked => ({
  ...{ method: 'POST', path: '/v1/nodes', body: NODE },
  headers: { ...JSON_TYPE, ...headers },
})
const basic = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
})

describe("a page of somebody else's in the browser of an operator", () => {
  let box: Box
  const ends: (() => unknown)[] = []
  after(async () => {
    for (const end of ends.reverse()) await end()
  })
  before(async () => {
    box = await startBox({ after: (end) => ends.push(end) })
  })
  const nodes = async () => JSON.parse((await ask(box.api, { path: '/v1/nodes' })).text).nodes.length

  it('changes nothing by a name that it made lead here, and is told which option allows the name', async () => {
    const { status, text } = await ask(box.api, creates({ host: 'rebound.attacker.example' }))

    assert.equal(status, 400)
    assert.match(text, /Host .*rebound\.attacker\.example.* is no name of this box\. .*\[api\] allowed_hosts/)
    assert.equal((await ask(box.api, { path: '/v1/nodes', headers: { host: 'a.example:6385' } })).status, 400)
    assert.equal((await ask(box.api, { path: '/healthz', headers: { host: 'a.example' } })).status, 400)
    assert.equal(await nodes(), 0)
  })

  it('changes nothing by a request of its own origin', async () => {
    const foreign: Record<string, string>[] = [
      { origin: 'https://attacker.example' },
      { origin: 'null' },
      { origin: 'http://127.0.0.1:1' },
      { 'sec-fetch-site': 'cross-site' },
    ]
    for (const headers of foreign)
      assert.equal((await ask(box.api, creates(headers))).status, 403, JSON.stringify(headers))
    assert.equal(await nodes(), 0)
  })

  it('changes nothing by a form, or by a body of no type', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', ''])
      assert.equal((await ask(box.api, creates({ 'content-type': type }))).status, 415, type)
    assert.equal(await nodes(), 0)
  })

  it('is not a page from here: that may ask', async () => {
    const own = new URL(box.api).origin

    assert.equal((await ask(box.api, creates({ origin: own, 'sec-fetch-site': 'same-origin' }))).status, 201)
    assert.equal((await ask(box.api, creates({ host: 'localhost:1' }))).status, 201)
    assert.equal(await nodes(), 2)
  })

  it('cannot hide its host behind a second one', async () => {
    const own = new URL(box.api).host
    const send = (hosts: readonly string[], target = '/v1/nodes') =>
      sendRaw(box.api, [
        `GET ${target} HTTP/1.1\r\n${hosts.map((host) => `Host: ${host}\r\n`).join('')}Connection: close\r\n\r\n`,
      ])

    assert.match(await send([own, 'a.example']), /^HTTP\/1\.1 400 /)
    assert.match(await send(['a.example', own]), /^HTTP\/1\.1 400 /)
    assert.match(await send([own, own]), /^HTTP\/1\.1 400 /)
    assert.match(await send([own], 'http://a.example/v1/nodes'), /^HTTP\/1\.1 400 /)
    assert.match(await send([own]), /^HTTP\/1\.1 200 /)
  })
})

describe('whoever reaches the port, with http_basic', () => {
  let box: Box
  let users: string
  const ends: (() => unknown)[] = []
  after(async () => {
    for (const end of ends.reverse()) await end()
  })
  before(async () => {
    box = await startBox({ after: (end) => ends.push(end) }, '[DEFAULT]\nauth_strategy = http_basic\n')
    users = join(box.state_path, 'htpasswd')
  })
  const admin = () => basic('admin', readFileSync(join(box.state_path, 'admin-password'), 'utf8').trim())

  it('finds an administrator with a password of its own, told of once, in files of the owner', async () => {
    const told = box.lines.filter(({ message }) => message === 'the first user was made; its password is in a file')

    assert.deepEqual(
      told.map(({ user, file }) => ({ user, file })),
      [{ user: 'admin', file: join(box.state_path, 'admin-password') }],
    )
    for (const name of ['admin-password', 'htpasswd', 'api.sock'])
      assert.equal(statSync(join(box.state_path, name)).mode & 0o777, 0o600, name)
    assert.ok(!JSON.stringify(box.lines).includes(readFileSync(join(box.state_path, 'admin-password'), 'utf8').trim()))
    assert.equal((await ask(box.api, { path: '/v1/nodes', headers: admin() })).status, 200)
  })

  it('reads and changes nothing without a password, in the words of Ironic', async () => {
    const refusal = await ask(box.api, { path: '/v1/nodes' })

    assert.equal(refusal.status, 401)
    assert.equal(refusal.headers['www-authenticate'], 'Basic realm="Baremetal API"')
    assert.deepEqual(JSON.parse(refusal.text), { error: { message: 'Authorization required', code: 401 } })
    for (const path of ['/v1/nodes', '/nodes', '/v1/drivers', '/metrics', '/v1/lookup/x', '//v1'])
      assert.equal((await ask(box.api, { path })).status, 401, path)
    assert.equal((await ask(box.api, creates())).status, 401)
    assert.equal((await ask(box.api, creates({ authorization: 'Bearer x' }))).status, 400)
  })

  it('sees versions, that the box is well, and its CA, and may look a machine up', async () => {
    const health = await ask(box.api, { path: '/healthz' })

    assert.deepEqual(JSON.parse(health.text), { status: 'ok' })
    for (const [path, status] of [
      ['/', 200],
      ['/v1/', 200],
      ['/v1/lookup?addresses=52:54:00:00:00:01', 404],
      ['/ca.crt', 404],
    ] as const)
      assert.equal((await ask(box.api, { path })).status, status, path)
    assert.equal((await ask(box.api, { path: '/healthz', headers: basic('admin', 'wrong') })).status, 401)
    assert.ok(JSON.parse((await ask(box.api, { path: '/healthz', headers: admin() })).text).parts)
  })

  it('changes nothing as an observer, who reads; and each change is told of, with who and from where', async () => {
    const password = readFileSync(join(box.state_path, 'admin-password'), 'utf8').trim()
    const hash = readFileSync(users, 'utf8').split(':')[1] ?? ''
    writeFileSync(users, `admin:${hash.trim()}\nwatch:${hash.trim()}\n`)
    writeFileSync(`${users}.roles`, 'admin:admin\nwatch:observer\n')

    assert.equal((await ask(box.api, { path: '/v1/nodes', headers: basic('watch', password) })).status, 200)
    assert.equal((await ask(box.api, creates(basic('watch', password)))).status, 403)
    const created = await ask(box.api, creates(admin()))
    const { uuid } = JSON.parse(created.text)

    const audit = box.lines.filter(({ audit, code }) => audit === true && code !== 401 && code !== 400)
    assert.deepEqual(
      audit.map(({ user, role, address, via, method, path, node, code, result }) => ({
        ...{ user, role, address, via, method, path, node, code, result },
      })),
      [
        {
          ...{ user: 'watch', role: 'observer', address: '127.0.0.1', via: 'tcp' },
          ...{ method: 'POST', path: '/v1/nodes', node: undefined, code: 403, result: 'refused' },
        },
        {
          ...{ user: 'admin', role: 'admin', address: '127.0.0.1', via: 'tcp' },
          ...{ method: 'POST', path: '/v1/nodes', node: uuid, code: 201, result: 'accepted' },
        },
      ],
    )
  })

  it('is slowed down after wrong passwords, while who was right before is not', async () => {
    const wrong = () => ask(box.api, { path: '/v1/nodes', headers: basic('admin', `wrong-${Math.random()}`) })
    const began = performance.now()
    for (let count = 0; count < 5; count++) assert.equal((await wrong()).status, 401)
    const slowed_ms = performance.now() - began

    const flood = await Promise.all(Array.from({ length: 10 }, wrong))
    const right_at = performance.now()
    const right = await ask(box.api, { path: '/v1/nodes', headers: admin() })

    assert.ok(slowed_ms > 1_200, `five attempts took ${slowed_ms} ms`)
    assert.ok(flood.filter(({ status }) => status === 429).length >= 6)
    assert.match(flood.find(({ status }) => status === 429)?.headers['retry-after'] ?? '', /^\d+$/)
    assert.equal(right.status, 200)
    // Who was wrong as often waits 16 s.
    assert.ok(performance.now() - right_at < 4_000)
  })

  it('is an administrator over the unix socket, which its account alone may open', async () => {
    const socketPath = join(box.state_path, 'api.sock')

    assert.ok(existsSync(socketPath))
    assert.equal((await ask(box.api, { ...creates({ host: 'anything' }), socketPath })).status, 201)
  })
})
