import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { newBoot } from '../../../appliance/records/kinds/boot.ts'
import { enrolled, type Json, openRig } from './rig.ts'

const MAC = '52:54:00:12:34:56'
const CALLBACK = 'https://10.0.0.9:9999'

async function waiting(t: TestContext) {
  const rig = await openRig(t)
  const { uuid } = await enrolled(rig.ask, { name: 'n1', driver: 'fake-hardware' })
  await rig.ask('POST', '/v1/ports', { node_uuid: uuid, address: MAC })
  await rig.store.nodes.update(uuid, { provision_state: 'wait call-back', target_provision_state: 'active' })
  await rig.store.boots.create(newBoot(uuid, { agent: true }))
  return { ...rig, uuid }
}

describe('GET /v1/lookup', () => {
  it('finds the node by the MACs of the machine, and gives the token once', async (t) => {
    const { ask, uuid } = await waiting(t)
    const look = () => ask('GET', `/v1/lookup?addresses=00:00:00:00:00:01,${MAC}`, undefined, { version: '1.62' })

    const first = await look()
    const second = await look()

    assert.equal(first.status, 200)
    const node = first.body.node as Json
    assert.deepEqual(Object.keys(node).sort(), ['driver_internal_info', 'instance_info', 'links', 'properties', 'uuid'])
    assert.equal(node.uuid, uuid)
    const [token, again] = [first, second].map(({ body }) => (body.config as Json).agent_token)
    assert.match(String(token), /^[\w-]{32,}$/)
    assert.equal(again, '******')
    assert.deepEqual((second.body.node as Json).driver_internal_info, { agent_secret_token: '******' })
  })

  it('tells nothing of nodes that wait for no agent', async (t) => {
    const { ask, uuid, store } = await waiting(t)
    await store.nodes.update(uuid, { provision_state: 'active' })

    const { status, fault } = await ask('GET', `/v1/lookup?node_uuid=${uuid}`)

    assert.deepEqual([status, fault], [404, 'Resource could not be found.'])
  })

  it('needs an address or a uuid, and version 1.22', async (t) => {
    const { ask } = await waiting(t)

    const nothing = await ask('GET', '/v1/lookup')
    const early = await ask('GET', `/v1/lookup?addresses=${MAC}`, undefined, { version: '1.21' })

    assert.deepEqual(
      [nothing.status, nothing.fault],
      [400, "At least one of 'addresses' and 'node_uuid' parameters is required"],
    )
    assert.equal(early.status, 404)
  })
})

describe('POST /v1/heartbeat/{node}', () => {
  const heartbeat = { callback_url: CALLBACK, agent_token: 'T', agent_version: '13.0.0' }

  it('goes to the conductor', async (t) => {
    const { ask, uuid, conductor } = await waiting(t)

    const { status, text } = await ask(
      'POST',
      `/v1/heartbeat/${uuid}`,
      { ...heartbeat, agent_verify_ca: null, layer_facts: { ssh: { a: 1 } } },
      { version: '1.68' },
    )

    assert.deepEqual([status, text], [202, ''])
    assert.deepEqual(conductor.asked, [
      { verb: 'heartbeat', uuid, with: { ...heartbeat, layer_facts: { ssh: { a: 1 } } } },
    ])
  })

  const tooNew: readonly { version: string; fields: Json; fault: string }[] = [
    { version: '1.35', fields: { agent_version: '13' }, fault: 'Field "agent_version" not recognised' },
    { version: '1.61', fields: { agent_token: 'T' }, fault: 'Field "agent_token" not recognised' },
    {
      version: '1.67',
      fields: { agent_verify_ca: 'PEM' },
      fault: 'Field "agent_verify_ca" not recognised in this version',
    },
    {
      version: '1.71',
      fields: { agent_status: 'end' },
      fault: 'Fields "agent_status" and "agent_status_message" not recognised.',
    },
  ]
  it('refuses fields of later versions', async (t) => {
    const { ask, uuid, conductor } = await waiting(t)

    for (const { version, fields, fault } of tooNew) {
      const answer = await ask('POST', `/v1/heartbeat/${uuid}`, { callback_url: CALLBACK, ...fields }, { version })

      assert.deepEqual([answer.status, answer.fault], [400, fault])
    }
    assert.deepEqual(conductor.asked, [])
  })

  it('refuses a forged one, and changes nothing', async (t) => {
    const { ask, store } = await openRig(t, { conductor: (real) => real })
    const { uuid } = await enrolled(ask, { driver: 'fake-hardware' })
    await store.nodes.update(uuid, {
      provision_state: 'wait call-back',
      driver_internal_info: { agent_secret_token: 'secret' },
    })
    const before = store.nodes.get(uuid)

    const { status, fault } = await ask('POST', `/v1/heartbeat/${uuid}`, heartbeat)

    assert.deepEqual([status, fault], [400, 'Invalid or missing agent token received.'])
    assert.equal(store.nodes.get(uuid), before)
  })

  it('needs a callback_url and a node', async (t) => {
    const { ask, uuid } = await waiting(t)

    const nowhere = await ask('POST', `/v1/heartbeat/${uuid}`, {})
    const nobody = await ask('POST', '/v1/heartbeat/nobody', heartbeat)

    assert.equal(nowhere.fault, "Schema error for heartbeat: 'callback_url' is a required property")
    assert.equal(nobody.status, 404)
  })
})

describe('[api] enable_ramdisk_endpoints = false', () => {
  it('closes lookup and heartbeat', async (t) => {
    const { ask } = await openRig(t, { api: { enable_ramdisk_endpoints: false } })

    const lookup = await ask('GET', `/v1/lookup?addresses=${MAC}`)
    const heartbeat = await ask('POST', '/v1/heartbeat/n1', {})

    assert.deepEqual([lookup.status, lookup.fault], [403, 'Access was denied to the following resource: /v1/lookup'])
    assert.equal(heartbeat.status, 403)
  })
})

describe('POST /v1/continue_inspection', () => {
  const inventory = { interfaces: [{ name: 'eth0', mac_address: MAC }] }
  const data = { inventory, error: null, root_disk: { name: '/dev/vda' } }
  const inspecting = async (t: TestContext) => {
    const rig = await waiting(t)
    const deadline = '9999-12-31T23:59:59.999Z'
    await rig.store.nodes.update(rig.uuid, { provision_state: 'inspect wait', wait: { for: 'report', deadline } })
    return rig
  }

  it('takes the report of an agent, which says no version, and tells its node', async (t) => {
    const { ask, uuid, lines } = await inspecting(t)

    const { status, body } = await ask('POST', '/v1/continue_inspection', data, { version: '' })

    assert.deepEqual([status, body], [202, { uuid }])
    assert.equal(
      lines.filter(({ message, node }) => message === 'agent reported what it found' && node === uuid).length,
      1,
    )
  })

  it('answers as a lookup does from version 1.84 on', async (t) => {
    const { ask, uuid } = await inspecting(t)

    const { status, body } = await ask('POST', `/v1/continue_inspection?node_uuid=${uuid}`, data, { version: '1.84' })

    assert.equal(status, 202)
    assert.equal((body.node as Json).uuid, uuid)
    assert.match(String((body.config as Json).agent_token), /^[\w-]{32,}$/)
  })

  it('is not there in versions between, and wants an inventory with at least one card', async (t) => {
    const { ask } = await inspecting(t)
    const post = (body: Json, version: string) => ask('POST', '/v1/continue_inspection', body, { version })

    const between = await post(data, '1.83')
    const none = await post({ inventory: { interfaces: [] } }, '1.84')
    const nothing = await post({}, '1.84')

    assert.deepEqual([between.status, between.fault], [404, 'API version 1.84 or newer is required'])
    assert.equal(none.status, 400)
    assert.equal(nothing.status, 400)
  })
})
