import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { BASE, enrolled, type Json, listed, openRig } from '../rig.ts'

const UUID = '5f2c0d9e-6f0b-4c43-9df3-6f1f7f4b8f10'
const IQN = { type: 'iqn', connector_id: 'iqn.2026-11.test:n1' }
const DISK = { volume_type: 'iscsi', volume_id: 'v1', boot_index: 0 }
const add = (path: string, value: unknown) => ({ op: 'add', path, value })

async function scene(t: TestContext) {
  const rig = await openRig(t)
  const node = await enrolled(rig.ask, { name: 'n1' })
  const make = (what: 'connectors' | 'targets', fields: Json) =>
    rig.ask('POST', `/v1/volume/${what}`, { node_uuid: node.uuid, ...fields })
  return { ...rig, node, make }
}

const link = (path: string) => [
  { href: `${BASE}/v1/${path}`, rel: 'self' },
  { href: `${BASE}/${path}`, rel: 'bookmark' },
]

describe('/v1/volume', () => {
  it('leads to connectors and targets, since 1.32', async (t) => {
    const { ask, node } = await scene(t)
    const below = `nodes/${node.uuid}/volume/`

    const all = await ask('GET', '/v1/volume')
    const its = await ask('GET', '/v1/nodes/n1/volume')

    assert.deepEqual(all.body, {
      links: link('volume/'),
      connectors: link('volume/connectors'),
      targets: link('volume/targets'),
    })
    assert.deepEqual(its.body, {
      links: link(below),
      connectors: link(`${below}connectors`),
      targets: link(`${below}targets`),
    })
    for (const path of ['/v1/volume', '/v1/volume/connectors', '/v1/nodes/n1/volume/targets'])
      assert.equal((await ask('GET', path, undefined, { version: '1.31' })).status, 404)
  })
})

describe('/v1/volume/connectors', () => {
  it('is made, shown and listed, all or of one node', async (t) => {
    const { ask, make, node } = await scene(t)
    const other = await enrolled(ask)

    const made = await make('connectors', { ...IQN, uuid: UUID })
    await make('connectors', { ...IQN, node_uuid: other.uuid, connector_id: 'iqn.2026-11.test:n2' })

    const { created_at: _, ...fields } = made.body
    assert.deepEqual([made.status, made.headers.get('location')], [201, `${BASE}/v1/volume/connectors/${UUID}`])
    assert.deepEqual(fields, {
      ...{ uuid: UUID, updated_at: null, node_uuid: node.uuid, extra: {}, ...IQN },
      links: link(`volume/connectors/${UUID}`),
    })
    assert.deepEqual((await ask('GET', `/v1/volume/connectors/${UUID}`)).body, made.body)
    for (const path of ['/v1/volume/connectors?node=n1', '/v1/nodes/n1/volume/connectors'])
      assert.deepEqual(listed(await ask('GET', path), 'connectors'), [UUID])
    const whole = await ask('GET', '/v1/volume/connectors?detail=True', undefined, { version: '1.32' })
    assert.deepEqual((whole.body.connectors as Json[])[0], made.body)
    const page = await ask('GET', '/v1/volume/connectors?limit=1')
    assert.deepEqual(Object.keys((page.body.connectors as Json[])[0] ?? {}).sort(), [
      ...['connector_id', 'links', 'node_uuid', 'type', 'uuid'],
    ])
    assert.equal(page.body.next, `${BASE}/v1/volume/connectors?limit=1&marker=${UUID}`)
  })

  it('is unique by type and id together', async (t) => {
    const { ask, make, store } = await scene(t)
    await make('connectors', IQN)

    const same = await make('connectors', IQN)
    const other = await make('connectors', { ...IQN, type: 'wwpn' })
    await store.nodes.update(store.nodes.find('n1').uuid, { power_state: 'power off' })
    const became = await ask('PATCH', `/v1/volume/connectors/${other.body.uuid}`, [add('/type', 'iqn')])
    await ask('DELETE', `/v1/volume/connectors/${other.body.uuid}`)

    const fault = `A volume connector with type iqn and connector ID ${IQN.connector_id} already exists.`
    assert.deepEqual([same.status, same.fault, became.status, became.fault], [409, fault, 409, fault])
    assert.equal((await make('connectors', { ...IQN, type: 'wwpn' })).status, 201)
  })

  it('changes while its node is off, and goes then, or from a node out of use', async (t) => {
    const { ask, make, node, store } = await scene(t)
    const path = `/v1/volume/connectors/${(await make('connectors', IQN)).body.uuid}`
    const patch = () => ask('PATCH', path, [add('/extra/a', 1)])

    const unknown = await patch()
    await store.nodes.update(node.uuid, { power_state: 'power on', provision_state: 'active' })
    const on = await ask('DELETE', path)
    await store.nodes.update(node.uuid, { power_state: 'power off' })
    const off = await patch()
    await store.nodes.update(node.uuid, { power_state: 'power on', provision_state: 'manageable' })
    const gone = await ask('DELETE', path)

    const refusal = (action: string, state: string) =>
      `The requested action "${action}" can not be performed on node "${node.uuid}" while it is in state "${state}".`
    assert.deepEqual([unknown.status, unknown.fault], [400, refusal('volume connector update', 'None')])
    assert.deepEqual([on.status, on.fault], [400, refusal('volume connector deletion', 'power on')])
    assert.deepEqual([off.status, gone.status], [200, 204])
  })

  it('says what is wrong', async (t) => {
    const { ask, make } = await scene(t)
    const faults = [
      await make('connectors', { type: 'iqn' }),
      await make('connectors', { ...IQN, node_uuid: UUID }),
      await make('connectors', { ...IQN, name: 'x' }),
      await ask('GET', '/v1/volume/connectors/n1'),
      await ask('GET', `/v1/volume/connectors/${UUID}`),
    ].map(({ status, fault }) => [status, fault])

    assert.deepEqual(faults, [
      [400, "Schema error for volume connector: 'connector_id' is a required property"],
      [400, `Node ${UUID} could not be found.`],
      [400, "Schema error for volume connector: Additional properties are not allowed ('name' was unexpected)"],
      [400, 'Expected UUID for connector_uuid: n1'],
      [404, `Volume connector ${UUID} could not be found.`],
    ])
  })
})

describe('/v1/volume/targets', () => {
  it('has its secrets masked, and keeps them when a mask is written back', async (t) => {
    const { ask, make, node, store } = await scene(t)
    await store.nodes.update(node.uuid, { power_state: 'power off' })
    const properties = { target_portal: '192.0.2.1:3260', auth_password: 'hush' }

    const made = await make('targets', { ...DISK, properties })
    const path = `/v1/volume/targets/${made.body.uuid}`
    const shown = made.body.properties as Json
    const patched = await ask('PATCH', path, [add('/properties', { ...shown, target_lun: 1 })])

    assert.deepEqual(shown, { ...properties, auth_password: '******' })
    assert.equal(patched.status, 200)
    const [kept] = store.volume_targets.all()
    assert.deepEqual(kept?.properties, { ...properties, target_lun: 1 })
  })

  it('has a boot index of its own on its node', async (t) => {
    const { ask, make } = await scene(t)
    const other = await enrolled(ask)
    await make('targets', DISK)

    const same = await make('targets', { ...DISK, volume_id: 'v2' })
    const second = await make('targets', { ...DISK, boot_index: 1 })
    const elsewhere = await make('targets', { ...DISK, node_uuid: other.uuid })

    const fault = "A volume target with boot index '0' for the same node already exists."
    assert.deepEqual([same.status, same.fault], [409, fault])
    assert.deepEqual([second.status, elsewhere.status], [201, 201])
  })

  it('goes with its node', async (t) => {
    const { ask, make, node, store } = await scene(t)
    await make('targets', DISK)
    await make('connectors', IQN)

    await ask('DELETE', `/v1/nodes/${node.uuid}`)

    assert.deepEqual([store.volume_targets.size, store.volume_connectors.size], [0, 0])
  })
})
