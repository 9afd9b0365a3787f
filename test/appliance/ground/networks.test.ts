import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formsOf, networksOf, parseNetwork, sourceOf } from '../../../appliance/ground/networks.ts'

describe('a network in CIDR notation', () => {
  it('is an address with the length of its prefix, or one address', () => {
    const texts = ['192.168.50.0/24', '10.0.0.1', ' fd00::/8 ', '::1', '0.0.0.0/0']

    const found = texts.map((text) => parseNetwork(text))

    assert.deepEqual(found, [
      { address: '192.168.50.0', prefix: 24, family: 'ipv4' },
      { address: '10.0.0.1', prefix: 32, family: 'ipv4' },
      { address: 'fd00::', prefix: 8, family: 'ipv6' },
      { address: '::1', prefix: 128, family: 'ipv6' },
      { address: '0.0.0.0', prefix: 0, family: 'ipv4' },
    ])
  })

  it('is no name, no zone, no prefix that is too long, and no other form of an address', () => {
    const texts = ['box', '10.0.0.0/33', 'fd00::/129', '10.0.0.0/', '10.0.0.0/-1', 'fe80::1%eth0', '127.1', '', '10/8']

    assert.deepEqual(
      texts.map((text) => parseNetwork(text)),
      texts.map(() => undefined),
    )
  })

  it('has the addresses that begin with its prefix, an IPv4 address within an IPv6 one as well', () => {
    const networks = networksOf(['192.168.50.7/24', 'fd00::/8', '10.0.0.1'])
    const has = (...addresses: string[]) => addresses.map((address) => networks.has(address))

    assert.deepEqual(has('192.168.50.1', '192.168.50.255', '::ffff:192.168.50.1', 'fdff::1', '10.0.0.1'), [
      ...Array(5).fill(true),
    ])
    assert.deepEqual(has('192.168.51.1', 'fe80::1', '10.0.0.2', 'name', ''), Array(5).fill(false))
  })
})

describe('the forms of an address', () => {
  it('are itself without its zone, and the IPv4 address that it carries', () => {
    const forms = Object.fromEntries(
      [
        ...['10.0.0.1', 'fd00::1', 'fe80::1%eth0', '::', '::1'],
        ...[
          '::ffff:127.0.0.1',
          '::ffff:7f00:1',
          '::7f00:1',
          '64:ff9b::127.0.0.1',
          '2002:7f00:1::',
          '2002:a9fe:a9fe::1',
        ],
        ...['64:ff9c::7f00:1', '2003:7f00:1::', '::fffe:7f00:1'],
      ].map((address) => [address, formsOf(address).slice(1)]),
    )

    assert.deepEqual(forms, {
      '10.0.0.1': [],
      'fd00::1': [],
      'fe80::1%eth0': [],
      '::': [],
      '::1': [],
      '::ffff:127.0.0.1': ['127.0.0.1'],
      '::ffff:7f00:1': ['127.0.0.1'],
      '::7f00:1': ['127.0.0.1'],
      '64:ff9b::127.0.0.1': ['127.0.0.1'],
      '2002:7f00:1::': ['127.0.0.1'],
      '2002:a9fe:a9fe::1': ['169.254.169.254'],
      '64:ff9c::7f00:1': [],
      '2003:7f00:1::': [],
      '::fffe:7f00:1': [],
    })
    assert.deepEqual(formsOf('fe80::1%eth0'), ['fe80::1'])
  })
})

describe('the source of an address', () => {
  it('is an IPv4 address however it is written, a whole network of IPv6, and nobody for a unix socket', () => {
    const addresses = [
      '192.0.2.1',
      '::ffff:192.0.2.1',
      '2001:db8:0:1:ffff::7',
      '2001:db8::7',
      'fe80::1%eth0',
      '::1',
      '',
    ]

    assert.deepEqual(addresses.map(sourceOf), [
      ...['192.0.2.1', '192.0.2.1', '2001:db8:0:1', '2001:db8:0:0', 'fe80:0:0:0', '0:0:0:0', ''],
    ])
  })
})
