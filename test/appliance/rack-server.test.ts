/** Over real sockets: what a machine's firmware or agent sees. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { describe, it } from 'node:test'
import { createLog } from '../../appliance/log.ts'
import { type RackHandler, startRackServer } from '../../appliance/rack-server.ts'

const quiet = createLog('error', () => {})
const loopback = { host: '127.0.0.1', port: 0 }
const fixed: RackHandler = async (request, response) => {
  if (request.url !== '/known') return false
  response.end('known')
  return true
}
const broken: RackHandler = async () => {
  throw new Error('secret detail')
}

describe('rack server', () => {
  it('asks its handlers in turn, and answers 404 when none knows the path', async (t) => {
    const server = await startRackServer(loopback, [fixed], quiet)
    t.after(server.close)

    const known = await fetch(`http://127.0.0.1:${server.port}/known`)
    const unknown = await fetch(`http://127.0.0.1:${server.port}/unknown`)

    assert.equal(await known.text(), 'known')
    assert.equal(unknown.status, 404)
    assert.equal(await unknown.text(), '/unknown is not served here\n')
  })

  it('takes the whole address for a path, as clients behind a proxy send it', async (t) => {
    const server = await startRackServer(loopback, [fixed], quiet)
    t.after(server.close)

    const asked = request({ host: '127.0.0.1', port: server.port, path: 'http://172.22.0.1:8080/known' }).end()
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]

    assert.equal((await answer.toArray()).join(''), 'known')
  })

  it('refuses everything but GET and HEAD', async (t) => {
    const server = await startRackServer(loopback, [fixed], quiet)
    t.after(server.close)

    const answer = await fetch(`http://127.0.0.1:${server.port}/known`, { method: 'POST', body: 'x' })

    assert.equal(answer.status, 405)
    assert.equal(answer.headers.get('allow'), 'GET, HEAD')
  })

  it('tells the machine nothing of a failure but that there was one; the log has it', async (t) => {
    const lines: string[] = []
    const server = await startRackServer(
      loopback,
      [broken],
      createLog('error', (line) => lines.push(line)),
    )
    t.after(server.close)

    const answer = await fetch(`http://127.0.0.1:${server.port}/any`)

    assert.equal(answer.status, 500)
    assert.doesNotMatch(await answer.text(), /secret detail/)
    assert.match(lines.join(), /secret detail.*rack request failed/s)
  })

  it('says which port is taken', async (t) => {
    const first = await startRackServer(loopback, [], quiet)
    t.after(first.close)

    await assert.rejects(startRackServer({ host: '127.0.0.1', port: first.port }, [], quiet), { code: 'EADDRINUSE' })
  })

  it('closes within its deadline though a machine still holds a connection', { timeout: 5_000 }, async () => {
    const { promise: asked, resolve } = Promise.withResolvers<void>()
    const server = await startRackServer(
      loopback,
      [
        async (_request, response) => {
          response.write('first bytes')
          resolve()
          return true
        },
      ],
      quiet,
    )
    const hanging = fetch(`http://127.0.0.1:${server.port}/slow`).then((answer) => answer.text())
    await asked

    await Promise.all([server.close(), assert.rejects(hanging)])
  })
})
