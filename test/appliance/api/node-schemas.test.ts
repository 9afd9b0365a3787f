/** What fields of nodes and ports must look like, where Ironic has a schema for them. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { enrolled, type Json, openRig } from './rig.ts'

const NODE = { driver: 'fake-hardware' }

describe('network_data of a node', () => {
  const links = [
    { id: 'eth0', type: 'phy', ethernet_mac_address: '52:54:00:00:00:01', mtu: 9000 },
    { id: 'eth1', type: 'phy', ethernet_mac_address: '52-54-00-00-00-02', mtu: null, vif_id: 'v' },
    {
      ...{ id: 'bond0', type: 'bond', ethernet_mac_address: '52:54:00:00:00:01', bond_mode: '802.3ad' },
      bond_links: ['eth0', 'eth1'],
    },
    { id: 'vlan7', type: 'vlan', vlan_mac_address: '52:54:00:00:00:01', vlan_id: 7, vlan_link: 'bond0' },
  ]
  const route = { network: '0.0.0.0', netmask: '0.0.0.0', gateway: '10.0.0.1' }
  const networks = [
    {
      ...{ id: 'n0', link: 'vlan7', network_id: 'x', type: 'ipv4', ip_address: '10.0.0.2', netmask: '255.255.255.0' },
      routes: [route],
    },
    { id: 'n1', link: 'vlan7', network_id: 'x', type: 'ipv6', ip_address: 'fd00::2/64' },
    { id: 'n2', link: 'eth0', network_id: 'x', type: 'ipv4_dhcp' },
  ]
  const services = [{ type: 'dns', address: '10.0.0.53' }]
  const whole = { links, networks, services }

  it('is taken whole, by a creation and by a patch, with what the schema does not speak of', async (t) => {
    const { ask } = await openRig(t)
    const network_data = { ...whole, more: { a: 1 } }

    const { uuid, network_data: created } = await enrolled(ask, { ...NODE, network_data })
    const none = await enrolled(ask, { ...NODE, network_data: {} })
    const patched = await ask('PATCH', `/v1/nodes/${none.uuid}`, [
      { op: 'replace', path: '/network_data', value: network_data },
    ])
    const removed = await ask('PATCH', `/v1/nodes/${uuid}`, [{ op: 'remove', path: '/network_data' }])

    assert.deepEqual(created, network_data)
    assert.deepEqual([patched.status, patched.body.network_data], [200, network_data])
    assert.deepEqual([removed.status, removed.body.network_data], [200, {}])
  })

  const first = <T>(list: readonly T[], change: Json) => [{ ...list[0], ...change }]
  const refused: readonly [string, Json, RegExp][] = [
    ['no services', { links, networks }, /'network_data\/services' is a required property/],
    [
      'a link of no type',
      { ...whole, links: first(links, { type: 'wire' }) },
      /expected bond, vlan, or a type of card/,
    ],
    [
      'an odd MAC',
      { ...whole, links: first(links, { ethernet_mac_address: '52:54' }) },
      /expected a valid MAC address/,
    ],
    ['an MTU of 0', { ...whole, links: first(links, { mtu: 0 }) }, /links\/0\/mtu is 0: expected at least 1/],
    [
      'a bond of no mode',
      { ...whole, links: first(links.slice(2), { bond_mode: 'fast' }) },
      /expected one of 802\.3ad/,
    ],
    [
      'an address of another kind',
      { ...whole, networks: first(networks, { ip_address: 'fd00::1' }) },
      /an IPv4 address/,
    ],
    ['a netmask with holes', { ...whole, networks: first(networks, { netmask: '255.0.255.0' }) }, /an IPv4 netmask/],
    [
      'a route to nowhere',
      { ...whole, networks: first(networks, { routes: [{}] }) },
      /routes\/0\/network' is a required/,
    ],
    ['a name as DNS', { ...whole, services: [{ type: 'dns', address: 'ns1' }] }, /expected an IP address/],
  ]
  it('is refused where it does not fit, and the place is told', async (t) => {
    const { ask } = await openRig(t)
    const { uuid } = await enrolled(ask, NODE)

    for (const [what, network_data, fault] of refused) {
      const created = await ask('POST', '/v1/nodes', { ...NODE, network_data })
      const patched = await ask('PATCH', `/v1/nodes/${uuid}`, [
        { op: 'add', path: '/network_data', value: network_data },
      ])

      assert.deepEqual([created.status, patched.status], [400, 400], what)
      assert.match(created.fault, fault, what)
    }
  })
})

describe('[api] network_data_schema', () => {
  const properties = { vlan: { type: 'string', pattern: '(?i)^vlan[0-9]+$' } }
  const network_data_schema = { type: 'object', required: ['vlan'], properties }

  it('is what network_data has to be, instead', async (t) => {
    const { ask } = await openRig(t, { network_data_schema })
    const create = async (network_data: Json) => (await ask('POST', '/v1/nodes', { ...NODE, network_data })).status

    assert.deepEqual(
      [await create({ vlan: 'VLAN7' }), await create({ vlan: '7' }), await create({ a: 1 })],
      [201, 400, 400],
    )
  })
})

describe('a [api] network_data_schema that is none', () => {
  it('is no start', async (t) => {
    await assert.rejects(openRig(t, { network_data_schema: { type: 'thing' } }), {
      name: 'InvalidParameterValue',
      message: /^The file of \[api\] network_data_schema cannot be used: .*thing.* Expected a JSON schema\.$/,
    })
  })
})

describe('local_link_connection of a port', () => {
  const port = async (ask: Parameters<typeof enrolled>[0], link: Json, version = '1.104') => {
    const { uuid } = await enrolled(ask, NODE)
    const address = `52:54:00:${[...crypto.getRandomValues(new Uint8Array(3))].map((n) => n.toString(16).padStart(2, '0')).join(':')}`
    const body = { node_uuid: uuid, address, local_link_connection: link }
    const { status, fault, body: made } = await ask('POST', '/v1/ports', body, { version })
    return { status, fault, link: made.local_link_connection, uuid: made.uuid }
  }
  const vtep = { port_id: 'p', 'vtep-logical-switch': 'l', 'vtep-physical-switch': 's' }

  it('names its switch by a MAC or an OpenFlow datapath, in lower case', async (t) => {
    const { ask } = await openRig(t)

    assert.deepEqual((await port(ask, { port_id: 'p', switch_id: 'AA:BB:CC:00:00:01' })).link, {
      port_id: 'p',
      switch_id: 'aa:bb:cc:00:00:01',
    })
    assert.equal((await port(ask, { port_id: 'p', switch_id: '00000A1B2C3D4E5F' })).status, 201)
    assert.match(
      (await port(ask, { port_id: 'p', switch_id: 'sw1' })).fault,
      /Expected a MAC address or OpenFlow datapath ID but received sw1\.$/,
    )
  })

  it('is of OVN from 1.90 to 1.104, and empty for who asks by another version', async (t) => {
    const { ask } = await openRig(t)

    const made = await port(ask, vtep)

    assert.deepEqual([made.status, made.link], [201, vtep])
    assert.deepEqual((await ask('GET', `/v1/ports/${made.uuid}`)).body.local_link_connection, {})
    assert.deepEqual([(await port(ask, vtep, '1.89')).status, (await port(ask, vtep, '1.105')).status], [406, 406])
    assert.match((await port(ask, { ...vtep, 'vtep-physical-switch': undefined })).fault, /vtep/)
    assert.equal((await port(ask, { network_type: 'unmanaged' }, '1.63')).status, 406)
    assert.equal((await port(ask, { network_type: 'unmanaged' }, '1.64')).status, 201)
  })
})

describe('a node that is created', () => {
  it('may say its boot mode, Secure Boot and console, which no patch may', async (t) => {
    const { ask } = await openRig(t)
    const given = { boot_mode: 'uefi', secure_boot: 'True', console_enabled: true }

    const { uuid, boot_mode, secure_boot, console_enabled } = await enrolled(ask, { ...NODE, ...given })

    assert.deepEqual([boot_mode, secure_boot, console_enabled], ['uefi', true, true])
    for (const [name, value] of Object.entries(given)) {
      const { status } = await ask('PATCH', `/v1/nodes/${uuid}`, [{ op: 'replace', path: `/${name}`, value }])
      assert.equal(status, 400, name)
    }
    const early = await ask('POST', '/v1/nodes', { ...NODE, boot_mode: 'uefi' }, { version: '1.74' })
    assert.equal(early.status, 406)
  })
})
