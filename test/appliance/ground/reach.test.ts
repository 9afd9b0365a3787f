import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { ownNetworks } from '../../../appliance/ground/own-networks.ts'
import { createReach, type ReachOptions } from '../../../appliance/ground/reach.ts'

const reachWith = (more: Partial<ReachOptions> = {}) => createReach({ allowed: [], option: '[x] networks', ...more })
const wordsOf = (host: string, more: Partial<ReachOptions> = {}) =>
  reachWith(more)
    .addressOf(host)
    .catch((error: Error) => error.message)

describe('the addresses that the box reaches by itself', () => {
  it('are those of others, told as they are', async () => {
    const hosts = ['192.0.2.77', '10.1.2.3', '2001:db8::1', '64:ff9b::10.1.2.3']

    const found = await Promise.all(hosts.map((host) => wordsOf(host)))

    assert.deepEqual(found, hosts)
  })

  it('are none of its own, of this link, and of many; the sentence says what each is, and what allows it', async () => {
    const because = (what: string) => `${what}: this box connects there only when [x] networks allows it`
    const refused = {
      '127.0.0.1': 'a loopback address',
      '127.8.9.10': 'a loopback address',
      '::1': 'a loopback address',
      '169.254.169.254': 'a link-local address',
      'fe80::1': 'a link-local address',
      '0.0.0.0': 'no address of a server',
      '0.1.2.3': 'no address of a server',
      '::': 'no address of a server',
      '239.1.2.3': 'a multicast address',
      'ff02::1': 'a multicast address',
      '255.255.255.255': 'a broadcast address',
      '::ffff:127.0.0.1': 'a loopback address',
      '::ffff:a9fe:a9fe': 'a link-local address',
      '64:ff9b::127.0.0.1': 'a loopback address',
      '2002:7f00:1::1': 'a loopback address',
    }

    const found = await Promise.all(Object.keys(refused).map((host) => wordsOf(host)))

    assert.deepEqual(
      found,
      Object.entries(refused).map(([host, what]) => because(`${host} is ${what}`)),
    )
    assert.match(await wordsOf('localhost'), /^localhost is at (127\.0\.0\.1|::1), which is a loopback address: /)
  })

  it('are those that the option allows, in any of their forms, and not their neighbours', async () => {
    const more = { allowed: ['127.0.0.2', '169.254.0.0/24', 'fe80::/64'] }
    const allowed = ['127.0.0.2', '::ffff:127.0.0.2', '169.254.0.9', 'fe80::1']

    assert.deepEqual(await Promise.all(allowed.map((host) => wordsOf(host, more))), allowed)
    for (const host of ['127.0.0.1', '169.254.1.1', 'fe80:0:0:1::1'])
      assert.match(await wordsOf(host, more), / only when /)
  })

  it('are refused by what the caller adds, asked at each connection; the option allows those, too', async () => {
    const bmcs = ['203.0.113.7']
    const refused = () => [{ networks: bmcs, what: 'a BMC' }]
    const before = await wordsOf('203.0.113.8', { refused })

    bmcs.push('203.0.113.8')

    assert.equal(before, '203.0.113.8')
    assert.match(await wordsOf('203.0.113.8', { refused }), /^203\.0\.113\.8 is a BMC: /)
    assert.equal(await wordsOf('203.0.113.8', { refused, allowed: ['203.0.113.0/24'] }), '203.0.113.8')
  })

  it('are refused, and nothing is thrown where nobody catches, when what the caller adds is no network', async () => {
    const reach = reachWith({ refused: () => [{ networks: ['fe80::1%eth0'], what: 'a BMC' }] })
    const expected = /^whether 203\.0\.113\.9 may be reached cannot be told: 'fe80::1%eth0' is no network: /
    const connect = reach.guard((_options: { hostname: string }, _callback: (error: Error, socket: null) => void) =>
      assert.fail('it was connected'),
    )

    const guarded = await new Promise<Error>((done) => connect({ hostname: '203.0.113.9' }, done))

    assert.match(guarded.message, expected)
    await assert.rejects(reach.addressOf('203.0.113.9'), { message: expected })
  })

  it('are told to a socket one by one or all together, without those that are refused', async () => {
    const lookup = promisify(reachWith({ allowed: ['127.0.0.1'] }).lookup) as (...given: unknown[]) => Promise<unknown>

    const all = await lookup('localhost', { all: true })

    assert.deepEqual(all, [{ address: '127.0.0.1', family: 4 }])
    await assert.rejects(() => lookup('localhost', { family: 6 }), /::1, which is a loopback|ENOTFOUND|EAI/)
  })

  it('are looked at where a socket would look nothing up: at an address in the place of a name', async () => {
    const connected: string[] = []
    type Callback = (error: Error | null, socket: null) => void
    const connect = reachWith().guard(({ hostname }: { hostname: string }, callback: Callback) => {
      connected.push(hostname)
      callback(null, null)
    })
    const wordsFor = (hostname: string) =>
      new Promise((resolve) => connect({ hostname }, (error) => resolve(error?.message)))

    const found = [await wordsFor('[::1]'), await wordsFor('127.0.0.1'), await wordsFor('192.0.2.77')]

    assert.match(String(found[0]), /^::1 is a loopback address/)
    assert.match(String(found[1]), /^127\.0\.0\.1 is a loopback address/)
    assert.deepEqual([found[2], connected], [undefined, ['192.0.2.77']])
  })
})

describe('the networks of this box itself', () => {
  it('are all that ip(8) tells of', () => {
    type Shown = { addr_info: { local: string; family: string }[] }
    const shown = JSON.parse(execFileSync('ip', ['-json', 'address'], { encoding: 'utf8' })) as Shown[]
    const addresses = shown.flatMap(({ addr_info }) => addr_info.map(({ local }) => local))

    const found = ownNetworks()

    assert.ok(addresses.length > 0)
    const { has } = { has: (address: string) => found.some((network) => canonical(network) === canonical(address)) }
    assert.deepEqual(
      addresses.filter((address) => !has(address)),
      [],
    )
  })
})

const canonical = (text: string) => {
  const [address = ''] = text.split('/')
  return address.includes(':') ? new URL(`http://[${address}]`).hostname : address
}
