import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Node } from '../../../../appliance/records/kinds/node.ts'
import { BASE, enrolled, type Json, listed, openRig } from '../rig.ts'

const MAC = '52:54:00:12:34:56'
const UUID = '5f2c0d9e-6f0b-4c43-9df3-6f1f7f4b8f10'
const add = (path: string, value: unknown) => ({ op: 'add', path, value })

async function withGroup(t: TestContext, fields: Json = {}) {
  const rig = await openRig(t)
  const node = await enrolled(rig.ask, { name: 'n1', shard: 's1', conductor_group: 'east' })
  const made = await rig.ask('POST', '/v1/portgroups', { node_uuid: node.uuid, name: 'bond0', ...fields })
  assert.equal(made.status, 201, made.text)
  let last = 0
  const port = (fields: Json = {}) =>
    rig.ask('POST', '/v1/ports', { node_uuid: node.uuid, address: `52:54:00:00:00:0${++last}`, ...fields })
  return { ...rig, node, group: made.body as Json & { uuid: string }, made, port }
}

describe('/v1/portgroups', () => {
  it('is made with its defaults, and shown by uuid and by name', async (t) => {
    const { ask, made, node } = await withGroup(t, { uuid: UUID, address: MAC.toUpperCase() })

    const shown = await ask('GET', '/v1/portgroups/bond0')

    assert.equal(made.headers.get('location'), `${BASE}/v1/portgroups/${UUID}`)
    const { created_at: _, ...group } = made.body
    const link = (path: string) => [
      { href: `${BASE}/v1/${path}`, rel: 'self' },
      { href: `${BASE}/${path}`, rel: 'bookmark' },
    ]
    assert.deepEqual(group, {
      ...{ uuid: UUID, updated_at: null, address: MAC, category: null, dynamic_portgroup: false, extra: {} },
      ...{ internal_info: {}, mode: 'active-backup', name: 'bond0', node_uuid: node.uuid, physical_network: null },
      ...{ properties: {}, standalone_ports_supported: true },
      links: link(`portgroups/${UUID}`),
      ports: link(`portgroups/${UUID}/ports`),
    })
    assert.deepEqual(shown.body, made.body)
  })

  it('is in the mode of [DEFAULT] default_portgroup_mode when it has none', async (t) => {
    const { ask } = await openRig(t, { ini: 'default_portgroup_mode = 802.3ad\n' })
    const node_uuid = (await enrolled(ask)).uuid
    const modeOf = async (fields: object) => (await ask('POST', '/v1/portgroups', { node_uuid, ...fields })).body.mode

    assert.deepEqual(
      [await modeOf({}), await modeOf({ mode: null }), await modeOf({ mode: '' }), await modeOf({ mode: '4' })],
      ['802.3ad', '802.3ad', '802.3ad', '4'],
    )
  })

  it('cuts its fields by microversion', async (t) => {
    const { ask } = await withGroup(t)
    const keys = async (version: string) =>
      Object.keys((await ask('GET', '/v1/portgroups/bond0', undefined, { version })).body)
        .sort()
        .join(' ')

    const oldest =
      'address created_at extra internal_info links name node_uuid ports standalone_ports_supported updated_at uuid'
    assert.equal(await keys('1.23'), oldest)
    assert.equal(await keys('1.26'), [...oldest.split(' '), 'mode', 'properties'].sort().join(' '))
    assert.equal((await ask('GET', '/v1/portgroups', undefined, { version: '1.22' })).status, 404)
    assert.equal((await ask('GET', '/v1/portgroups/bond0/ports', undefined, { version: '1.23' })).status, 404)
  })

  it('is listed, of one node, by address, shard and conductor group, one of them at a time', async (t) => {
    const { ask, node, group } = await withGroup(t, { address: MAC })
    const other = await enrolled(ask, { name: 'n2' })
    const second = (await ask('POST', '/v1/portgroups', { node_uuid: other.uuid })).body.uuid
    const found = async (path: string) => listed(await ask('GET', path), 'portgroups')

    assert.deepEqual(await found('/v1/portgroups'), [group.uuid, second])
    assert.deepEqual(await found('/v1/portgroups?node=n1'), [group.uuid])
    assert.deepEqual(await found(`/v1/portgroups/detail?node=${other.uuid}`), [second])
    assert.deepEqual(await found(`/v1/portgroups?address=${MAC}`), [group.uuid])
    assert.deepEqual(await found('/v1/portgroups?shard=s1,s2'), [group.uuid])
    assert.deepEqual(await found('/v1/portgroups?conductor_groups=east'), [group.uuid])
    assert.deepEqual(await found('/v1/nodes/n2/portgroups'), [second])
    const first = ((await ask('GET', '/v1/portgroups')).body.portgroups as Json[])[0]
    assert.deepEqual(Object.keys(first ?? {}), ['uuid', 'address', 'name', 'links'])
    for (const path of [`/v1/portgroups?node=n1&address=${MAC}`, `/v1/nodes/${node.uuid}/portgroups?shard=s1`]) {
      const { status, fault } = await ask('GET', path)
      assert.deepEqual([status, fault], [400, 'Filtering by node, address, or shard simultaneously is not supported.'])
    }
    assert.equal((await ask('GET', '/v1/portgroups?shard=s1', undefined, { version: '1.105' })).status, 406)
    assert.equal((await ask('GET', '/v1/portgroups?node=nobody')).status, 404)
  })

  it('is patched, and its mode stays', async (t) => {
    const { ask } = await withGroup(t, { properties: { miimon: 100 } })
    const patch = (...operations: object[]) => ask('PATCH', '/v1/portgroups/bond0', operations)

    const changed = await patch(add('/mode', '802.3ad'), add('/properties/xmit_hash_policy', 'layer2+3'))
    const renamed = await patch(add('/name', 'bond1'))
    const moded = await ask('PATCH', '/v1/portgroups/bond1', [{ op: 'remove', path: '/mode' }])

    assert.deepEqual([changed.status, changed.body.mode], [200, '802.3ad'])
    assert.deepEqual(changed.body.properties, { miimon: 100, xmit_hash_policy: 'layer2+3' })
    assert.deepEqual([renamed.status, renamed.body.name], [200, 'bond1'])
    assert.deepEqual([moded.status, moded.fault], [400, "'mode' is a mandatory attribute and can not be removed"])
  })

  it('says what is wrong', async (t) => {
    const { ask, node } = await withGroup(t, { address: MAC })
    const node_uuid = node.uuid
    const refused: readonly [body: Json, status: number, fault: string, version?: string][] = [
      [{}, 400, "Schema error for portgroup: 'node_uuid' is a required property"],
      [{ node_uuid: UUID }, 400, `Node ${UUID} could not be found.`],
      [{ node_uuid, name: 'bond0' }, 409, 'A portgroup with name bond0 already exists.'],
      [{ node_uuid, address: MAC.toUpperCase() }, 409, `A portgroup with MAC address ${MAC} already exists.`],
      [{ node_uuid, name: 'a b' }, 400, "Cannot create portgroup with invalid name 'a b'"],
      [
        { node_uuid, mode: 'x' },
        406,
        'Request not acceptable. The minimal required API version for the field mode should be 1.26',
        '1.25',
      ],
    ]
    for (const [body, status, fault, version = '1.115'] of refused) {
      const answer = await ask('POST', '/v1/portgroups', body, { version })

      assert.deepEqual([answer.status, answer.fault], [status, fault])
    }
    const renamed = await ask('PATCH', '/v1/portgroups/bond0', [add('/name', 'a b')])
    assert.deepEqual(
      [renamed.status, renamed.fault],
      [400, "Portgroup bond0: Cannot change name to invalid name 'a b'"],
    )
  })

  const moves: readonly { what: string; to: Partial<Node>; status: number }[] = [
    { what: 'moves to an enrolled node', to: {}, status: 200 },
    { what: 'does not move to an active node', to: { provision_state: 'active' }, status: 409 },
    { what: 'moves to any in maintenance', to: { provision_state: 'active', maintenance: true }, status: 200 },
    { what: 'does not move to the node of another owner', to: { owner: 'red' }, status: 400 },
  ]
  for (const { what, to, status } of moves) {
    it(what, async (t) => {
      const { ask, store } = await withGroup(t)
      const other = await enrolled(ask)
      await store.nodes.update(other.uuid, to)

      const moved = await ask('PATCH', '/v1/portgroups/bond0', [add('/node_uuid', other.uuid)])

      assert.equal(moved.status, status, moved.text)
    })
  }

  it('does not change while its node is inspected, or held', async (t) => {
    const { ask, node, store } = await withGroup(t)
    const statusOf = async (state: Partial<Node>) => {
      await store.nodes.update(node.uuid, state)
      return (await ask('PATCH', '/v1/portgroups/bond0', [add('/extra/a', 1)])).status
    }

    assert.equal(await statusOf({ provision_state: 'inspecting' }), 409)
    assert.equal(await statusOf({ provision_state: 'active', reservation: 'rack-1' }), 409)
    assert.equal(await statusOf({ reservation: null }), 200)
  })

  it('goes with its node, ports and all', async (t) => {
    const { ask, group, node, port, store } = await withGroup(t)
    await port({ portgroup_uuid: group.uuid })

    const { status } = await ask('DELETE', `/v1/nodes/${node.uuid}`)

    assert.deepEqual([status, store.portgroups.size, store.ports.size], [204, 0, 0])
  })
})

describe('ports of a port group', () => {
  it('are listed below it and by portgroup', async (t) => {
    const { ask, group, port } = await withGroup(t)
    const { uuid } = (await port({ portgroup_uuid: group.uuid })).body
    await port()

    for (const path of ['/v1/portgroups/bond0/ports', '/v1/portgroups/bond0/ports/detail', '/v1/ports?portgroup=bond0'])
      assert.deepEqual(listed(await ask('GET', path), 'ports'), [uuid], path)
    assert.equal((await ask('GET', '/v1/portgroups/nobody/ports')).status, 404)
    const both = await ask('GET', '/v1/ports?portgroup=bond0&node=n1')
    assert.deepEqual([both.status, both.fault], [403, 'Operation not permitted.'])
  })

  it('keep it from being deleted and moved, until they leave it', async (t) => {
    const { ask, group, port } = await withGroup(t)
    const { uuid } = (await port({ portgroup_uuid: group.uuid })).body
    const other = await enrolled(ask)

    const deleted = await ask('DELETE', '/v1/portgroups/bond0')
    const moved = await ask('PATCH', '/v1/portgroups/bond0', [add('/node_uuid', other.uuid)])
    await ask('PATCH', `/v1/ports/${uuid}`, [{ op: 'remove', path: '/portgroup_uuid' }])
    const gone = await ask('DELETE', '/v1/portgroups/bond0')

    assert.deepEqual(
      [deleted.status, deleted.fault],
      [400, `Cannot complete the requested action because portgroup ${group.uuid} contains ports.`],
    )
    assert.equal(moved.status, 400)
    assert.match(moved.fault, /because there are ports associated with this portgroup\.$/)
    assert.equal(gone.status, 204)
  })

  it('are of its node', async (t) => {
    const { ask, group, port } = await withGroup(t)
    const other = await enrolled(ask)
    const member = (await port({ portgroup_uuid: group.uuid })).body
    const fault = 'Port can not be added to a portgroup belonging to a different node.'

    const made = await port({ node_uuid: other.uuid, portgroup_uuid: group.uuid })
    const moved = await ask('PATCH', `/v1/ports/${member.uuid}`, [add('/node_uuid', other.uuid)])

    assert.deepEqual([made.status, made.fault, moved.status, moved.fault], [400, fault, 400, fault])
  })

  it('do not boot alone from one that supports no standalone ports', async (t) => {
    const { group, port } = await withGroup(t, { standalone_ports_supported: 'False' })
    const portgroup_uuid = group.uuid

    const refused = await port({ portgroup_uuid, pxe_enabled: true })
    const member = await port({ portgroup_uuid, pxe_enabled: false })

    assert.equal(refused.status, 409)
    assert.match(refused.fault, /^Port group .* doesn't support standalone ports\./)
    assert.equal(member.status, 201)
  })

  it('are all in its physical network, which the first one brings', async (t) => {
    const { ask, group, port } = await withGroup(t)
    const portgroup_uuid = group.uuid

    const first = await port({ portgroup_uuid, physical_network: 'data' })
    const stranger = await port({ portgroup_uuid, physical_network: 'storage' })
    const alone = await ask('PATCH', `/v1/ports/${first.body.uuid}`, [add('/physical_network', 'storage')])
    const together = await ask('PATCH', '/v1/portgroups/bond0', [add('/physical_network', 'storage')])

    assert.equal((await ask('GET', '/v1/portgroups/bond0')).body.physical_network, 'storage')
    assert.deepEqual([first.status, stranger.status, together.status], [201, 409, 200])
    assert.match(stranger.fault, /^Port with physical network storage cannot become a member of port group/)
    assert.deepEqual(
      [alone.status, alone.fault],
      [400, 'physical_network cannot be changed while the port belongs to a portgroup.'],
    )
    assert.equal((await ask('GET', `/v1/ports/${first.body.uuid}`)).body.physical_network, 'storage')
  })
})
