/** An operator's credentials, or a server that redirects, make the box ask where only the box itself can. */
import assert from 'node:assert/strict'
import { networkInterfaces } from 'node:os'
import { describe, it, type TestContext } from 'node:test'
import { NODE, type Options, openImages } from '../appliance/images/images-in-folder.ts'
import { SECRET, startVictim, type Victim } from './victim.ts'

const SHA256 = 'a3'.repeat(32)
/** A loopback address is on every machine; the victim has another one. */
const ALLOWED = '127.0.0.2'
const strict = (more = '', allowed = ''): Options => ({ ini: `[DEFAULT]\nreachable_networks = ${allowed}\n${more}` })

const own = () =>
  Object.values(networkInterfaces())
    .flatMap((all = []) => all)
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address

async function refusedUnasked(victim: Victim, act: () => Promise<unknown>, words: RegExp): Promise<void> {
  await assert.rejects(act, (error: Error) => {
    assert.match(error.message, words)
    assert.ok(!error.message.includes(SECRET), error.message)
    return true
  })
  assert.equal(victim.connections, 0, 'connections to the victim')
}

const toLocation = (location: string) => (_: unknown, response: import('node:http').ServerResponse) =>
  void response.writeHead(302, { location }).end()

async function redirectTo(t: TestContext, location: string): Promise<string> {
  const { port } = await startVictim(t, ALLOWED, toLocation(location))
  return `http://${ALLOWED}:${port}/image`
}

describe('the addresses that the box fetches images from', () => {
  for (const { host, is } of [
    { host: '127.0.0.1', is: '127.0.0.1 is a loopback address' },
    { host: 'localhost', is: 'localhost is at (127.0.0.1|::1), which is a loopback address' },
    { host: '2130706433', is: '127.0.0.1 is a loopback address' },
    { host: '0x7f000001', is: '127.0.0.1 is a loopback address' },
    { host: '0177.0.0.1', is: '127.0.0.1 is a loopback address' },
    { host: '127.1', is: '127.0.0.1 is a loopback address' },
    { host: '[::ffff:127.0.0.1]', is: '::ffff:7f00:1 is a loopback address' },
    { host: '[::1]', is: '::1 is a loopback address' },
    { host: '0.0.0.0', is: '0.0.0.0 is no address of a server' },
    { host: '[::]', is: ':: is no address of a server' },
    { host: '169.254.169.254', is: '169.254.169.254 is a link-local address' },
    { host: '224.0.0.1', is: '224.0.0.1 is a multicast address' },
    { host: '255.255.255.255', is: '255.255.255.255 is a broadcast address' },
  ]) {
    it(`are not ${host}: image_source gets no connection there`, async (t) => {
      const victim = await startVictim(t, host.includes('::') && !host.includes('ffff') ? '::' : '0.0.0.0')
      await using box = await openImages(strict())
      const image_source = `http://${host}:${victim.port}/image`

      await refusedUnasked(
        victim,
        () => box.images.resolve(box.request({ image_source, image_checksum: SHA256 })),
        new RegExp(`${is}: this box connects there only when \\[DEFAULT\\] reachable_networks allows it`),
      )
    })
  }

  it('are not its own on its networks', async (t) => {
    const address = own()
    if (address === undefined) return t.skip('this machine has no network')
    const victim = await startVictim(t, address)
    await using box = await openImages(strict())
    const image_source = `http://${address}:${victim.port}/image`

    await refusedUnasked(
      victim,
      () => box.images.resolve(box.request({ image_source, image_checksum: SHA256 })),
      /is an address of this box/,
    )
  })

  it('are none of [DEFAULT] bmc_networks, and no BMC of a node', async (t) => {
    const victim = await startVictim(t)
    await using byNetwork = await openImages(strict('bmc_networks = 198.51.100.0/24'))
    await using byNode = await openImages({ ...strict(), bmcs: ['203.0.113.7'] })
    const from = (host: string) => ({ image_source: `http://${host}/image`, image_checksum: SHA256 })

    const ofNetwork = () => byNetwork.images.resolve(byNetwork.request(from('198.51.100.9')))
    const ofNode = () => byNode.images.resolve(byNode.request(from('203.0.113.7')))

    await refusedUnasked(victim, ofNetwork, /198\.51\.100\.9 is in \[DEFAULT\] bmc_networks/)
    await refusedUnasked(victim, ofNode, /203\.0\.113\.7 is the address of a node's BMC/)
  })

  it('are the same after each redirect of a server that may be asked', async (t) => {
    const victim = await startVictim(t)
    const once = await redirectTo(t, `http://127.0.0.1:${victim.port}/image`)
    const twice = await redirectTo(t, once)
    await using box = await openImages(strict('', ALLOWED))

    for (const image_source of [once, twice]) {
      await refusedUnasked(
        victim,
        () => box.images.resolve(box.request({ image_source, image_checksum: SHA256 })),
        /127\.0\.0\.1 is a loopback address/,
      )
    }
  })

  it('are the same for a file of checksums, a config drive, and any file of a plugin', async (t) => {
    const victim = await startVictim(t)
    const image = await startVictim(t, ALLOWED)
    await using box = await openImages(strict('[agent]\nimage_download_source = local', ALLOWED))
    const url = `http://127.0.0.1:${victim.port}/page`
    const image_source = `http://${ALLOWED}:${image.port}/image`
    const { signal, progress } = box.request({})
    const file = { node_uuid: NODE, field: 'instance_info/kernel', href: url, checksum: SHA256, signal, progress }

    const attacks = [
      () => box.images.resolve(box.request({ image_source, image_checksum: url })),
      () => box.images.fetchText(new URL(url), 1000, signal),
      () => box.images.file(file),
      () => box.images.text(file),
    ]

    for (const attack of attacks) await refusedUnasked(victim, attack, /127\.0\.0\.1 is a loopback address/)
  })

  it('are what reachable_networks allows, and nothing beside', async (t) => {
    const allowed = await startVictim(t, ALLOWED)
    const victim = await startVictim(t)
    await using box = await openImages(strict('', ALLOWED))
    const { signal } = box.request({})

    const text = await box.images.fetchText(new URL(`http://${ALLOWED}:${allowed.port}/`), 1000, signal)

    assert.equal(text, SECRET)
    await refusedUnasked(
      victim,
      () => box.images.fetchText(new URL(`http://127.0.0.1:${victim.port}/`), 1000, signal),
      /127\.0\.0\.1 is a loopback address/,
    )
  })
})
