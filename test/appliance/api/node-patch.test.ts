import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Node } from '../../../appliance/records/kinds/node.ts'
import { enrolled, type Json, openRig } from './rig.ts'

const INSTANCE = 'b3f1ac1e-7e4f-4f4c-8d6a-3a0a1f1f9d11'
const OTHER = '5f2c0d9e-6f0b-4c43-9df3-6f1f7f4b8f10'
const add = (path: string, value: unknown) => ({ op: 'add', path, value })
const replace = (path: string, value: unknown) => ({ op: 'replace', path, value })
const remove = (path: string) => ({ op: 'remove', path })

describe('PATCH /v1/nodes/{node}', () => {
  it('sets and unsets as the client does: add, add of null, remove', async (t) => {
    const { ask, store } = await openRig(t)
    const { uuid } = await enrolled(ask, { name: 'n1', properties: { cpus: 4, ram: 8 }, extra: { a: 1 } })

    const { status, body } = await ask('PATCH', '/v1/nodes/n1', [
      add('/properties/local_gb', 100),
      add('/properties/cpus', null),
      remove('/properties/ram'),
      add('/instance_info/image_source', 'https://images.example/debian.qcow2'),
      remove('/extra'),
      add('/description', 'top of rack'),
      replace('/name', 'n2'),
    ])

    assert.equal(status, 200)
    assert.equal(body.name, 'n2')
    assert.equal(body.reservation, null)
    const node = store.nodes.find('n2')
    assert.equal(node.uuid, uuid)
    assert.deepEqual(node.properties, { local_gb: 100 })
    assert.deepEqual(node.instance_info, { image_source: 'https://images.example/debian.qcow2' })
    assert.deepEqual(node.extra, {})
    assert.equal(node.description, 'top of rack')
  })

  it('empties a field that is removed, to what a new node has', async (t) => {
    const { ask, store } = await openRig(t)
    const { uuid } = await enrolled(ask, {
      name: 'n1',
      retired: true,
      automated_clean: true,
      conductor_group: 'east',
      driver_info: { a: 1 },
    })

    await ask('PATCH', `/v1/nodes/${uuid}`, [
      remove('/name'),
      remove('/retired'),
      remove('/automated_clean'),
      remove('/conductor_group'),
      remove('/driver_info'),
    ])

    const { name, retired, automated_clean, conductor_group, driver_info } = store.nodes.find(uuid)
    assert.deepEqual(
      { name, retired, automated_clean, conductor_group, driver_info },
      { name: null, retired: false, automated_clean: null, conductor_group: '', driver_info: {} },
    )
  })

  it('forgets what chose the deploy interface when a person names one, and only then', async (t) => {
    const { ask, store } = await openRig(t)
    const { uuid } = await enrolled(ask)
    const { interfaces } = store.nodes.find(uuid)
    const internal = { agent_version: '13.0.0', original_deploy_interface: 'autodetect' }
    await store.nodes.update(uuid, {
      interfaces: { ...interfaces, deploy: 'ramdisk' },
      driver_internal_info: internal,
    })

    await ask('PATCH', `/v1/nodes/${uuid}`, [add('/extra/a', 1)])
    const untouched = store.nodes.find(uuid).driver_internal_info
    await ask('PATCH', `/v1/nodes/${uuid}`, [replace('/deploy_interface', 'direct')])

    assert.deepEqual(untouched, internal)
    assert.deepEqual(store.nodes.find(uuid).driver_internal_info, { agent_version: '13.0.0' })
  })

  it('takes keys with ~ and / (RFC 6901)', async (t) => {
    const { ask, store } = await openRig(t)
    const { uuid } = await enrolled(ask)

    await ask('PATCH', `/v1/nodes/${uuid}`, [add('/extra/a~1b~0c', 1)])

    assert.deepEqual(store.nodes.find(uuid).extra, { 'a/b~c': 1 })
  })

  it('never writes ****** back over a secret', async (t) => {
    const { ask, store } = await openRig(t)
    const { uuid } = await enrolled(ask, {
      driver_info: { ipmi_password: 'hunter2', ipmi_address: '10.0.0.1', list: [{ token: 'hunter3' }] },
      instance_info: { image_url: 'https://signed.example/?sig=1' },
      extra: { password: 'shown' },
    })
    const { body } = await ask('GET', `/v1/nodes/${uuid}`)

    const driver_info = { ...(body.driver_info as Json), ipmi_username: 'root' }
    await ask('PATCH', `/v1/nodes/${uuid}`, [
      replace('/driver_info', driver_info),
      add('/instance_info/image_url', '******'),
    ])

    const node = store.nodes.find(uuid)
    assert.deepEqual(node.driver_info, {
      ipmi_password: 'hunter2',
      ipmi_address: '10.0.0.1',
      ipmi_username: 'root',
      list: [{ token: 'hunter3' }],
    })
    assert.deepEqual(node.instance_info, { image_url: 'https://signed.example/?sig=1' })
  })

  it('is applied whole or not at all', async (t) => {
    const { ask, store } = await openRig(t)
    const { uuid } = await enrolled(ask)

    const { status } = await ask('PATCH', `/v1/nodes/${uuid}`, [add('/extra/a', 1), remove('/extra/b')])

    assert.equal(status, 400)
    assert.deepEqual(store.nodes.find(uuid).extra, {})
  })

  const refused: readonly { what: string; patch: unknown; fault: string }[] = [
    {
      what: 'the removal of a key that is not there',
      patch: [remove('/extra/foo')],
      fault:
        "Couldn't apply patch '{'op': 'remove', 'path': '/extra/foo'}'. Reason: can't remove a non-existent object 'foo'",
    },
    {
      what: 'the replacement of a key that is not there, without its value',
      patch: [replace('/driver_info/ipmi_password', 'hunter2')],
      fault:
        "Couldn't apply patch '{'op': 'replace', 'path': '/driver_info/ipmi_password'}'. Reason: can't replace a non-existent object 'ipmi_password'",
    },
    {
      what: 'a path through what is not there',
      patch: [add('/extra/a/b', 1)],
      fault: "Couldn't apply patch '{'op': 'add', 'path': '/extra/a/b'}'. Reason: member 'a' not found",
    },
    {
      what: '__proto__ in a path',
      patch: [add('/extra/__proto__/polluted', 1)],
      fault:
        "Couldn't apply patch '{'op': 'add', 'path': '/extra/__proto__/polluted'}'. Reason: '__proto__' is not accepted as a key",
    },
    {
      what: 'another operation',
      patch: [{ op: 'test', path: '/name', value: 'n1' }],
      fault: "Schema error for patch: 0/op is 'test': expected 'add', 'replace' or 'remove'",
    },
    {
      what: 'a path without a slash',
      patch: [add('name', 'n1')],
      fault: "Schema error for patch: 0/path is 'name': expected a path like '/driver_info/ipmi_address'",
    },
    {
      what: 'an object for a list',
      patch: add('/name', 'n1'),
      fault: 'Schema error for patch: it is an object: expected a list',
    },
    {
      what: 'traits, which have their own path',
      patch: [add('/traits', ['CUSTOM_A'])],
      fault: 'Cannot update node traits via node patch. Node traits should be updated via the node traits API.',
    },
    {
      what: 'a wrong type',
      patch: [add('/resource_class', 7)],
      fault: 'Schema error for patch of resource_class: it is 7: expected a string',
    },
    {
      what: 'the removal of the driver',
      patch: [remove('/driver')],
      fault: 'Schema error for patch of driver: it is null: expected a string',
    },
    {
      what: 'a bad name',
      patch: [add('/name', 'rack one')],
      fault:
        "Node n1: Cannot change name to invalid name 'rack one': expected 1 to 255 letters, digits and '-._~', not only dots, and no UUID.",
    },
    {
      what: 'a description that is too long',
      patch: [add('/description', 'x'.repeat(4097))],
      fault: 'Cannot update node with description exceeding 4096 characters',
    },
    {
      what: 'the reason of what is not so',
      patch: [add('/retired_reason', 'old')],
      fault: 'The retired_reason field can only be set when retired is True',
    },
  ]
  it('says what of it cannot be applied', async (t) => {
    const { ask, store } = await openRig(t)
    const { uuid } = await enrolled(ask, { name: 'n1' })
    const before = store.nodes.get(uuid)

    for (const { what, patch, fault } of refused) {
      const answer = await ask('PATCH', '/v1/nodes/n1', patch)

      assert.deepEqual([answer.status, answer.fault], [400, fault], what)
    }
    assert.equal(store.nodes.get(uuid), before)
  })

  it('changes no field that is only told', async (t) => {
    const { ask } = await openRig(t)
    const { uuid } = await enrolled(ask)

    for (const field of [
      'uuid',
      'provision_state',
      'power_state',
      'reservation',
      'driver_internal_info',
      'wait',
      'foo',
    ]) {
      const { status, fault } = await ask('PATCH', `/v1/nodes/${uuid}`, [add(`/${field}`, 'x')])

      assert.equal(status, 400)
      assert.match(fault, new RegExp(`^Cannot patch /${field}\\. Only the following can be updated: .*automated_clean`))
    }
  })

  it('refuses fields of later versions', async (t) => {
    const { ask } = await openRig(t)
    const { uuid } = await enrolled(ask)

    const { status } = await ask('PATCH', `/v1/nodes/${uuid}`, [add('/owner', 'red')], { version: '1.49' })

    assert.equal(status, 406)
  })

  it('of one node may come many at once: all are applied', async (t) => {
    const { ask, store } = await openRig(t)
    const { uuid } = await enrolled(ask)
    const keys = Array.from({ length: 32 }, (_, index) => `key${index}`)

    const answers = await Promise.all(keys.map((key) => ask('PATCH', `/v1/nodes/${uuid}`, [add(`/extra/${key}`, 1)])))

    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200])
    assert.deepEqual(Object.keys(store.nodes.find(uuid).extra).sort(), keys.sort())
  })

  it('of a node that the conductor works on is 409, at once where nobody is to wait', async (t) => {
    const { ask, store } = await openRig(t, { ini: '[conductor]\nnode_locked_retry_attempts = 0\n' })
    const { uuid } = await enrolled(ask)
    await store.nodes.update(uuid, { reservation: 'rack-1' })

    const { status, fault } = await ask('PATCH', `/v1/nodes/${uuid}`, [add('/extra/a', 1)])

    assert.equal(status, 409)
    assert.equal(fault, `Node ${uuid} is locked by host rack-1, please retry after the current operation is completed.`)
  })

  const moving = { provision_state: 'deploying', target_provision_state: 'active' } as const
  const states: readonly { what: string; state: Partial<Node>; patch: unknown; status: number; fault?: RegExp }[] = [
    {
      what: 'in transition it is 409',
      state: moving,
      patch: [add('/extra/a', 1)],
      status: 409,
      fault: /^Node [0-9a-f-]+ can not be updated while a state transition is in progress\.$/,
    },
    {
      what: 'in transition, in maintenance, the instance may be taken away',
      state: { ...moving, maintenance: true, instance_uuid: INSTANCE },
      patch: [remove('/instance_uuid')],
      status: 200,
    },
    {
      what: 'after a failure it may be changed',
      state: { provision_state: 'deploy failed', target_provision_state: 'active' },
      patch: [add('/extra/a', 1)],
      status: 200,
    },
    {
      what: 'the interfaces of a node in use stay',
      state: { provision_state: 'active' },
      patch: [replace('/driver', 'fake-hardware')],
      status: 409,
      fault: /can not have \w+_interface updated unless it is in one of allowed .* Current state is 'active'\.$/,
    },
    {
      what: 'the resource class of a node in use stays',
      state: { provision_state: 'active', resource_class: 'small' },
      patch: [add('/resource_class', 'large')],
      status: 409,
      fault: /can not have resource_class updated/,
    },
    {
      what: 'an instance is not taken over by another',
      state: { instance_uuid: INSTANCE },
      patch: [add('/instance_uuid', OTHER)],
      status: 409,
      fault: new RegExp(`is associated with instance ${INSTANCE}\\.$`),
    },
    {
      what: 'what is not in use is not protected',
      state: { provision_state: 'available' },
      patch: [add('/protected', true)],
      status: 409,
      fault: /can only be made protected in provision states 'active' or 'rescue', the current state is 'available'$/,
    },
    {
      what: 'an available node is not retired',
      state: { provision_state: 'available' },
      patch: [add('/retired', 'True')],
      status: 409,
      fault: /can not have 'retired' set in provision state 'available'/,
    },
  ]
  for (const { what, state, patch, status, fault } of states) {
    it(`depends on the node's state: ${what}`, async (t) => {
      const { ask, store } = await openRig(t)
      const { uuid } = await enrolled(ask)
      await store.nodes.update(uuid, state)

      const reset = JSON.stringify(patch).includes('/driver') ? '?reset_interfaces=true' : ''
      const answer = await ask('PATCH', `/v1/nodes/${uuid}${reset}`, patch)

      assert.equal(answer.status, status, answer.text)
      if (fault) assert.match(answer.fault, fault)
    })
  }

  it('takes reasons and faults away with what they are about', async (t) => {
    const { ask, store } = await openRig(t)
    const { uuid } = await enrolled(ask)
    await store.nodes.update(uuid, {
      provision_state: 'active',
      maintenance: true,
      maintenance_reason: 'fan',
      fault: 'power failure',
      protected: true,
      protected_reason: 'important',
    })

    await ask('PATCH', `/v1/nodes/${uuid}`, [replace('/maintenance', false), replace('/protected', 'False')])

    const node = store.nodes.find(uuid)
    assert.deepEqual([node.maintenance_reason, node.fault, node.protected_reason], [null, null, null])
  })
})

describe('a change of driver or interfaces', () => {
  it('keeps interfaces that the new driver has too, and refuses others', async (t) => {
    const { ask } = await openRig(t)
    const { uuid } = await enrolled(ask)

    const { status, fault } = await ask('PATCH', `/v1/nodes/${uuid}`, [replace('/driver', 'fake-hardware')])

    assert.equal(status, 400)
    assert.match(
      fault,
      /^Could not find the following interface in the 'ironic\.hardware\.interfaces\.management' entrypoint: ipmitool/,
    )
  })

  it('takes the new driver’s defaults with reset_interfaces', async (t) => {
    const { ask } = await openRig(t)
    const { uuid } = await enrolled(ask)
    const patch = [replace('/driver', 'fake-hardware')]

    const { status, body } = await ask('PATCH', `/v1/nodes/${uuid}?reset_interfaces=true`, patch)

    assert.equal(status, 200)
    assert.deepEqual([body.driver, body.power_interface, body.deploy_interface], ['fake-hardware', 'fake', 'direct'])
  })

  it('takes the default of an interface that is removed', async (t) => {
    const { ask } = await openRig(t)
    const { uuid } = await enrolled(ask)

    const { status, body } = await ask('PATCH', `/v1/nodes/${uuid}`, [remove('/deploy_interface')])

    assert.deepEqual([status, body.deploy_interface], [200, 'direct'])
  })

  it('refuses reset_interfaces without a driver, and in old versions', async (t) => {
    const { ask } = await openRig(t)
    const { uuid } = await enrolled(ask)
    const path = `/v1/nodes/${uuid}?reset_interfaces=true`

    const alone = await ask('PATCH', path, [add('/extra/a', 1)])
    const early = await ask('PATCH', path, [replace('/driver', 'fake-hardware')], { version: '1.44' })

    assert.equal(alone.fault, "The reset_interfaces parameter can only be used when changing the node's driver.")
    assert.deepEqual([alone.status, early.status], [400, 406])
  })
})
