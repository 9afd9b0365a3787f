import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Node } from '../../../appliance/records/kinds/node.ts'
import { BASE, enrolled, type Json, listed, openRig } from './rig.ts'

const MAC = '52:54:00:12:34:56'
const OTHER_MAC = '52:54:00:12:34:57'
const UUID = '5f2c0d9e-6f0b-4c43-9df3-6f1f7f4b8f10'
const add = (path: string, value: unknown) => ({ op: 'add', path, value })

async function withPort(t: TestContext, fields: Json = {}) {
  const rig = await openRig(t)
  const node = await enrolled(rig.ask, { name: 'n1' })
  const { status, body, text } = await rig.ask('POST', '/v1/ports', { node_uuid: node.uuid, address: MAC, ...fields })
  assert.equal(status, 201, text)
  return { ...rig, node, port: body as Json & { uuid: string } }
}

describe('POST /v1/ports', () => {
  it('creates a port of a node, its MAC in lower case', async (t) => {
    const { ask, store } = await openRig(t)
    const { uuid } = await enrolled(ask, { name: 'n1' })

    const { status, body, headers } = await ask('POST', '/v1/ports', {
      node_ident: 'n1',
      address: MAC.toUpperCase(),
      uuid: UUID,
      pxe_enabled: 'False',
      local_link_connection: { switch_id: '0a:1b:2c:3d:4e:5f', port_id: 'Ethernet3/1' },
    })

    assert.equal(status, 201)
    assert.equal(headers.get('location'), `${BASE}/v1/ports/${UUID}`)
    const { created_at, ...port } = body
    assert.match(String(created_at), /\+00:00$/)
    assert.deepEqual(port, {
      uuid: UUID,
      updated_at: null,
      address: MAC,
      available_for_dynamic_portgroup: true,
      category: null,
      description: null,
      extra: {},
      internal_info: {},
      is_smartnic: false,
      local_link_connection: { switch_id: '0a:1b:2c:3d:4e:5f', port_id: 'Ethernet3/1' },
      name: null,
      node_uuid: uuid,
      physical_network: null,
      portgroup_uuid: null,
      pxe_enabled: false,
      vendor: null,
      links: [
        { href: `${BASE}/v1/ports/${UUID}`, rel: 'self' },
        { href: `${BASE}/ports/${UUID}`, rel: 'bookmark' },
      ],
    })
    assert.equal(store.ports.by('address', MAC)?.uuid, UUID)
  })

  const refused: readonly { what: string; body: Json; fault: string; status?: number; version?: string }[] = [
    { what: 'no MAC', body: { node_uuid: UUID }, fault: "Schema error for port: 'address' is a required property" },
    { what: 'no node', body: { address: MAC }, fault: "Schema error for port: 'node_uuid' is a required property" },
    {
      what: 'what is no MAC',
      body: { node_uuid: UUID, address: '52:54:00:12:34' },
      fault: "Schema error for port: address is '52:54:00:12:34': expected a valid MAC address",
    },
    {
      what: 'a node that is not there, as 400',
      body: { node_uuid: UUID, address: MAC },
      fault: `Node ${UUID} could not be found.`,
    },
    {
      what: 'a port group that is not there',
      body: { node_ident: 'n1', address: MAC, portgroup_uuid: UUID },
      fault: `Portgroup ${UUID} could not be found.`,
    },
    {
      what: 'a smart NIC without its host',
      body: { node_ident: 'n1', address: MAC, is_smartnic: true },
      fault: 'Smart NIC port must have port_id and hostname in local_link_connection',
    },
    {
      what: 'half a switch port',
      body: { node_ident: 'n1', address: MAC, local_link_connection: { port_id: '1' } },
      fault:
        'Schema error for port: local_link_connection is an object: expected port_id with switch_id or hostname, or network_type unmanaged, or nothing',
    },
    {
      what: 'an empty physical network',
      body: { node_ident: 'n1', address: MAC, physical_network: '' },
      fault:
        "Schema error for port: physical_network is '': A non-empty value is required when setting physical_network",
    },
    {
      what: 'a field of a later version',
      body: { node_uuid: UUID, address: MAC, is_smartnic: false },
      version: '1.52',
      status: 406,
      fault: 'Request not acceptable. The minimal required API version for the field is_smartnic should be 1.53',
    },
    {
      what: 'node_ident before 1.94',
      body: { node_ident: 'n1', address: MAC },
      version: '1.93',
      status: 406,
      fault: 'Request not acceptable. The minimal required API version should be 1.94',
    },
  ]
  it('says what is wrong', async (t) => {
    const { ask, store } = await openRig(t)
    await enrolled(ask, { name: 'n1' })

    for (const { what, body, fault, status = 400, version = '1.115' } of refused) {
      const answer = await ask('POST', '/v1/ports', body, { version })

      assert.deepEqual([answer.status, answer.fault], [status, fault], what)
    }
    assert.equal(store.ports.size, 0)
  })

  it('refuses a MAC that another port has, in any spelling', async (t) => {
    const { ask, node } = await withPort(t)

    const { status, fault } = await ask('POST', '/v1/ports', { node_uuid: node.uuid, address: MAC.toUpperCase() })

    assert.deepEqual([status, fault], [409, `A port with MAC address ${MAC} already exists.`])
  })
})

describe('GET /v1/ports', () => {
  it('lists all ports, those of a node, or the one with a MAC', async (t) => {
    const { ask, node, port } = await withPort(t)
    const other = await enrolled(ask)
    const second = await ask('POST', '/v1/ports', { node_uuid: other.uuid, address: OTHER_MAC })
    const found = async (path: string) => listed(await ask('GET', path), 'ports')

    assert.deepEqual(await found('/v1/ports'), [port.uuid, second.body.uuid])
    assert.deepEqual(await found('/v1/ports/?node=n1'), [port.uuid])
    assert.deepEqual(await found(`/v1/ports/detail?node_uuid=${node.uuid}`), [port.uuid])
    assert.deepEqual(await found(`/v1/ports/detail?address=${OTHER_MAC.toUpperCase()}`), [second.body.uuid])
    assert.deepEqual(await found('/v1/ports?address=00:00:00:00:00:01'), [])
    assert.deepEqual(await found('/v1/nodes/n1/ports'), [port.uuid])
    assert.deepEqual(await found('/v1/nodes/n1/ports/detail'), [port.uuid])
    assert.deepEqual(await found(`/v1/ports?marker=${port.uuid}`), [second.body.uuid])
    assert.equal((await ask('GET', '/v1/ports?node=nobody')).status, 404)
  })

  it('finds a port by uuid and by name, with the fields asked for', async (t) => {
    const { ask, port } = await withPort(t, { name: 'eth0' })

    const byName = await ask('GET', '/v1/ports/eth0?fields=address')
    const absent = await ask('GET', `/v1/ports/${UUID}`)

    assert.deepEqual(Object.keys(byName.body), ['address', 'links'])
    assert.equal((await ask('GET', `/v1/ports/${port.uuid}`)).body.address, MAC)
    assert.deepEqual([absent.status, absent.fault], [404, `Port ${UUID} could not be found.`])
  })

  it('lists no port groups where there are none', async (t) => {
    const { ask } = await openRig(t)

    assert.deepEqual((await ask('GET', '/v1/portgroups/')).body, { portgroups: [] })
    assert.equal((await ask('GET', '/v1/portgroups/', undefined, { version: '1.22' })).status, 404)
  })
})

describe('PATCH and DELETE /v1/ports/{port}', () => {
  it('change and remove a port', async (t) => {
    const { ask, port, store } = await withPort(t)
    const path = `/v1/ports/${port.uuid}`

    const patched = await ask('PATCH', path, [add('/address', OTHER_MAC.toUpperCase()), add('/pxe_enabled', 'False')])
    const removed = await ask('DELETE', path)

    assert.equal(patched.status, 200)
    assert.deepEqual([patched.body.address, patched.body.pxe_enabled], [OTHER_MAC, false])
    assert.deepEqual([removed.status, store.ports.size], [204, 0])
  })

  it('move a port to another node', async (t) => {
    const { ask, port, store } = await withPort(t)
    const other = await enrolled(ask, { name: 'n2' })

    await ask('PATCH', `/v1/ports/${port.uuid}`, [{ op: 'replace', path: '/node_uuid', value: other.uuid }])

    assert.deepEqual(
      store.ports.where('node_uuid', other.uuid).map(({ uuid }) => uuid),
      [port.uuid],
    )
  })

  const states: readonly { what: string; state: Partial<Node>; patch: unknown; status: number }[] = [
    {
      what: 'no MAC of an active node changes',
      state: { provision_state: 'active' },
      patch: [add('/address', OTHER_MAC)],
      status: 409,
    },
    {
      what: 'no connectivity of an available node changes',
      state: { provision_state: 'available' },
      patch: [add('/pxe_enabled', false)],
      status: 409,
    },
    {
      what: 'in maintenance both do',
      state: { provision_state: 'active', maintenance: true },
      patch: [add('/address', OTHER_MAC), add('/pxe_enabled', false)],
      status: 200,
    },
    {
      what: 'a locked node keeps its ports',
      state: { reservation: 'rack-1' },
      patch: [add('/extra/a', 1)],
      status: 409,
    },
  ]
  for (const { what, state, patch, status } of states) {
    it(`depend on the node: ${what}`, async (t) => {
      const { ask, node, port, store } = await withPort(t)
      await store.nodes.update(node.uuid, state)

      const answer = await ask('PATCH', `/v1/ports/${port.uuid}`, patch)

      assert.equal(answer.status, status, answer.text)
    })
  }

  it('say what cannot be patched', async (t) => {
    const { ask, port } = await withPort(t)

    const uuid = await ask('PATCH', `/v1/ports/${port.uuid}`, [add('/uuid', UUID)])
    const mac = await ask('PATCH', `/v1/ports/${port.uuid}`, [{ op: 'remove', path: '/address' }])

    assert.match(uuid.fault, /^Cannot patch \/uuid\. Only the following can be updated: address, category/)
    assert.equal(mac.fault, 'Schema error for patch of address: it is null: expected a string')
  })
})
