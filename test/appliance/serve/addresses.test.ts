import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readConfig, readConfigFile } from '../../../appliance/config/read.ts'
import { apiUrlOf, rackAddressOf } from '../../../appliance/serve/addresses.ts'

const read = (text: string) => readConfig(readConfigFile('r.conf', text), { host: 'box', my_ip: () => '192.0.2.1' })

describe("address of the operator's API", () => {
  it("is the box's own where it listens on all", () => {
    assert.equal(apiUrlOf(read('[api]\nhost_ip = 0.0.0.0'), 6385), 'http://192.0.2.1:6385')
  })

  it('is the one it listens on otherwise', () => {
    assert.equal(apiUrlOf(read('[api]\nhost_ip = 127.0.0.1'), 4), 'http://127.0.0.1:4')
    assert.equal(apiUrlOf(read('[api]\nhost_ip = fd66::1'), 4), 'http://[fd66::1]:4')
  })
})

describe('address of lookup and heartbeat, as agents are told', () => {
  it('is where machines fetch from', () => {
    assert.equal(rackAddressOf(read('[api]\nhost_ip = 192.0.2.9')).agentUrlFor(8080), 'http://192.0.2.1:8080')
    assert.equal(
      rackAddressOf(read('[deploy]\nhttp_url = http://192.0.2.7\nexternal_http_url = http://cdn')).agentUrlFor(80),
      'http://192.0.2.7:80',
    )
  })

  it('is [deploy] external_callback_url where that is given', () => {
    const { agentUrlFor } = rackAddressOf(read('[deploy]\nexternal_callback_url = https://proxy/ironic/'))

    assert.equal(agentUrlFor(8080), 'https://proxy/ironic')
  })
})

describe('[deploy] http_url', () => {
  it('tells where the server for machines listens, and what they are told', () => {
    const { listen, urlFor } = rackAddressOf(read('[deploy]\nhttp_url = http://192.0.2.7:0'))

    assert.deepEqual(listen, { host: '192.0.2.7', port: 0 })
    assert.equal(urlFor(8081), 'http://192.0.2.7:8081')
  })

  it('may be told to machines as another address', () => {
    const { urlFor } = rackAddressOf(read('[deploy]\nexternal_http_url = http://proxy/images/'))

    assert.equal(urlFor(8080), 'http://proxy/images')
  })

  it('is listened on at [api] ramdisk_host_ip, else at its own address, else at my_ip', () => {
    const listenFor = (text: string) => rackAddressOf(read(text)).listen
    const name = '[deploy]\nhttp_url = http://rack:8080\n'

    assert.deepEqual(listenFor(name), { host: '192.0.2.1', port: 8080 })
    assert.deepEqual(listenFor(`${name}[api]\nramdisk_host_ip = 0.0.0.0`), { host: '0.0.0.0', port: 8080 })
    assert.deepEqual(listenFor('[deploy]\nhttp_url = http://[fd66::1]:80'), { host: 'fd66::1', port: 80 })
  })

  it('that is not set tells machines the address of [api] ramdisk_host_ip', () => {
    const { listen, urlFor, agentUrlFor } = rackAddressOf(read('[api]\nramdisk_host_ip = 192.0.2.7'))

    assert.equal(listen.host, '192.0.2.7')
    assert.deepEqual([urlFor(8080), agentUrlFor(8080)], ['http://192.0.2.7:8080', 'http://192.0.2.7:8080'])
  })

  it('that means all addresses tells machines my_ip', () => {
    for (const text of [
      '[deploy]\nhttp_url = http://0.0.0.0:8080',
      '[deploy]\nhttp_url = http://[::]:8080',
      '[api]\nramdisk_host_ip = 0.0.0.0',
    ]) {
      const { urlFor, agentUrlFor } = rackAddressOf(read(text))

      assert.deepEqual([urlFor(8080), agentUrlFor(8080)], ['http://192.0.2.1:8080', 'http://192.0.2.1:8080'], text)
    }
  })

  it('is refused when it is no plain address of this box', () => {
    assert.throws(() => rackAddressOf(read('[deploy]\nhttp_url = https://box/x')), {
      message:
        '[deploy] http_url is "https://box/x": expected http://<address>:<port> with nothing behind it, e.g. http://192.0.2.1:8080.',
    })
  })
})
