/** The API's socket, as clients of every age find it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { listen } from '../../../appliance/serve/listen.ts'

describe('socket of the API', () => {
  it('answers HTTP/1.0 without a Host header, as load balancers ask for /healthz', async (t) => {
    const server = await listen(() => new Response('ok'), { host: '127.0.0.1', port: 0 })
    t.after(() => server.close())
    const socket = connect(server.port, '127.0.0.1')
    let text = ''
    socket.on('data', (chunk) => (text += chunk))

    socket.write('GET /healthz HTTP/1.0\r\n\r\n')
    await once(socket, 'end')

    assert.match(text, /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nok$/)
  })
})
