import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type Socket } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import type { ConnectionLimits } from '../../../appliance/ground/connection-limits.ts'
import { listen } from '../../../appliance/ground/listen.ts'

async function serverWith(t: TestContext, limits: ConnectionLimits) {
  const server = createServer((_, response) => void response.end('here'))
  const { port, close } = await listen(server, { host: '127.0.0.1', port: 0, limits })
  t.after(close)
  const open = async (localAddress = '127.0.0.1'): Promise<Socket> => {
    const socket = connect({ port, host: '127.0.0.1', localAddress })
    t.after(() => socket.destroy())
    socket.on('error', () => {})
    // One that is cut may never see itself connected.
    await once(socket, 'connect').catch(() => {})
    return socket
  }
  /** Whether it is answered. */
  const asks = async (socket: Socket): Promise<boolean> => {
    if (socket.destroyed) return false
    const answered = Promise.race([once(socket, 'data').then(() => true), once(socket, 'close').then(() => false)])
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    return answered.catch(() => false)
  }
  return { open, asks }
}

describe('a server with limits of connections', () => {
  it('answers so many of one client, cuts more of them, says so once, and answers others', async (t) => {
    const told: unknown[] = []
    const { open, asks } = await serverWith(t, {
      ...{ max_connections: 10, max_connections_per_host: 2 },
      onRefused: (refused) => told.push(refused),
    })
    const mine = [await open(), await open()]

    const answers = await Promise.all([...mine, await open(), await open()].map(asks))
    const other = await asks(await open('127.0.0.2'))

    assert.deepEqual(answers, [true, true, false, false])
    assert.equal(other, true)
    assert.deepEqual(told, [{ ip: '127.0.0.1', option: 'max_connections_per_host', limit: 2 }])
  })

  it('answers again when one of them has ended', async (t) => {
    const { open, asks } = await serverWith(t, { max_connections: 10, max_connections_per_host: 1 })
    const first = await open()
    assert.equal(await asks(first), true)
    first.end()
    await once(first, 'close')

    const answers = await asks(await open())

    assert.equal(answers, true)
  })

  it('answers so many of all clients together', async (t) => {
    const { open, asks } = await serverWith(t, { max_connections: 2, max_connections_per_host: 0 })

    const answers = []
    for (const address of ['127.0.0.2', '127.0.0.3', '127.0.0.4']) answers.push(await asks(await open(address)))

    assert.deepEqual(answers, [true, true, false])
  })

  it('takes as many as come when both are 0', async (t) => {
    const { open, asks } = await serverWith(t, { max_connections: 0, max_connections_per_host: 0 })

    const answers = await Promise.all(Array.from({ length: 20 }, async () => asks(await open())))

    assert.ok(answers.every(Boolean))
  })

  it('answers requests one behind the other, and cuts a connection that sends too many at once', async (t) => {
    const { open } = await serverWith(t, { max_connections: 0, max_connections_per_host: 0 })
    const [some, many] = [await open(), await open()]
    const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
    const last = request.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')
    const answersOf = async (socket: Socket) => {
      let text = ''
      socket.on('data', (bytes) => {
        text += bytes
      })
      await once(socket, 'close')
      return text.split('HTTP/1.1 200').length - 1
    }

    some.write(request.repeat(15) + last)
    many.write(request.repeat(200))

    assert.equal(await answersOf(some), 16)
    assert.ok((await answersOf(many)) <= 16)
  })
})
