import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { listen, whyNoPort } from '../../../appliance/ground/listen.ts'

const loopback = { host: '127.0.0.1', port: 0 }
const refusalOf = async (address: { host: string; port: number }) => {
  const error = await listen(createServer(), address).catch((error: unknown) => error)
  return whyNoPort(address, '[x] host and port', error)
}

describe('a socket that may not be had', () => {
  it('is told by what stands in its way', async () => {
    const taken = await listen(createServer(), loopback)

    const sentence = await refusalOf({ host: '127.0.0.1', port: taken.port })

    await taken.close()
    const [rest, end] = ['([x] host and port): ', 'another program listens there already.']
    assert.equal(sentence, `Cannot listen on 127.0.0.1:${taken.port} ${rest}${end}`)
  })

  it('is told when the address is not of this box', async () => {
    assert.equal(
      await refusalOf({ host: '2001:db8::1', port: 5000 }),
      'Cannot listen on [2001:db8::1]:5000 ([x] host and port): this box has no such address.',
    )
  })

  it('is told by the right that is missing', () => {
    const error = Object.assign(new Error('listen EACCES'), { code: 'EACCES' })

    assert.equal(
      whyNoPort({ host: '0.0.0.0', port: 443 }, '[x] host and port', error),
      'Cannot listen on 0.0.0.0:443 ([x] host and port): ports below 1024 need root or CAP_NET_BIND_SERVICE.',
    )
  })
})

describe('a socket that closes', () => {
  it('ends what a client never finishes', async () => {
    const { port, close } = await listen(createServer(), loopback)
    const client = connect(port, '127.0.0.1')
    client.on('error', () => {})
    await once(client, 'connect')
    client.write('GET / HTTP/1.1\r\n')
    const gone = once(client, 'close')

    await close()

    await gone
  })
})
