import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { listen } from '../../../appliance/ground/listen.ts'
import { type SentChunks, sendChunks } from '../../../appliance/ground/send-chunks.ts'

const KIB = 1024
/** More than the system's buffers take: the client is waited for. */
const TOTAL = 64 * 1024 * KIB

async function sending(t: TestContext, grace_ms: number) {
  const { promise: sent, resolve } = Promise.withResolvers<SentChunks>()
  const send = async (response: ServerResponse) => {
    response.writeHead(200, { 'content-length': TOTAL })
    const source = { at: async () => ({ bytes: Buffer.alloc(64 * KIB) }) }
    resolve(await sendChunks(source, TOTAL, response, { onBytes: () => {}, grace_ms }))
    response.end()
  }
  const server = createServer((_, response) => void send(response))
  const { port, close } = await listen(server, { host: '127.0.0.1', port: 0 })
  t.after(close)
  const socket = connect(port, '127.0.0.1')
  t.after(() => socket.destroy())
  socket.on('error', () => {})
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  await once(socket, 'readable')
  return { socket, sent }
}

describe('chunks that are sent', () => {
  it('are cut off from a client that takes none for so long that it is below the least rate', async (t) => {
    // 64 KiB at 8 KiB/s are 8 s more: the grace is taken from them here.
    const { socket, sent } = await sending(t, 300 - 8_000)
    const closed = once(socket, 'close')

    const { bytes, isTooSlow } = await sent
    socket.resume()
    await closed

    assert.equal(isTooSlow, true)
    assert.ok(bytes < TOTAL)
  })

  it('are sent whole to a client that takes its time and goes on', async (t) => {
    const { socket, sent } = await sending(t, 60_000)

    socket.resume()
    const { bytes, isTooSlow } = await sent

    assert.equal(isTooSlow, false)
    assert.equal(bytes, TOTAL)
  })
})
