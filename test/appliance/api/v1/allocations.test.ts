import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Node } from '../../../../appliance/records/kinds/node.ts'
import { BASE, enrolled, type Json, listed, openRig, type Rig } from '../rig.ts'

const UUID = '5f2c0d9e-6f0b-4c43-9df3-6f1f7f4b8f10'
const INSTANCE = 'b3f1ac1e-7e4f-4f4c-8d6a-3a0a1f1f9d11'
const DEADLINE_MS = 10_000
const add = (path: string, value: unknown) => ({ op: 'add', path, value })

/** A node that can be had, and one more for each of `more`. */
async function scene(t: TestContext, ...more: Partial<Node>[]) {
  const rig = await openRig(t)
  const free = async (fields: Partial<Node>) => {
    const { name = null } = fields
    const { uuid } = await enrolled(rig.ask, { name, resource_class: 'small' })
    return rig.store.nodes.update(uuid, { provision_state: 'available', power_state: 'power off', ...fields })
  }
  const node = await free({ name: 'n1' })
  for (const fields of more) await free(fields)
  return { ...rig, node }
}

/** Asks as clients do, until it is allocating no more. */
async function settled({ ask }: Pick<Rig, 'ask'>, uuid: unknown): Promise<Json> {
  const deadline = Date.now() + DEADLINE_MS
  for (;;) {
    const { body } = await ask('GET', `/v1/allocations/${uuid}`)
    if (body.state !== 'allocating') return body
    assert.ok(Date.now() < deadline, 'still allocating')
    await new Promise(setImmediate)
  }
}

describe('POST /v1/allocations', () => {
  it('answers at once that it is allocating, and is active with a node later', async (t) => {
    const rig = await scene(t)
    const { ask, node } = rig

    const made = await ask('POST', '/v1/allocations', { uuid: UUID, name: 'one', resource_class: 'small' })
    const after = await settled(rig, UUID)

    assert.deepEqual([made.status, made.headers.get('location')], [201, `${BASE}/v1/allocations/${UUID}`])
    const { created_at, ...fields } = made.body
    const links = [
      { href: `${BASE}/v1/allocations/${UUID}`, rel: 'self' },
      { href: `${BASE}/allocations/${UUID}`, rel: 'bookmark' },
    ]
    const plain = { uuid: UUID, candidate_nodes: [], extra: {}, last_error: null, name: 'one', owner: null }
    const wanted = { ...plain, resource_class: 'small', traits: [], links }
    assert.deepEqual(fields, { ...wanted, updated_at: null, node_uuid: null, state: 'allocating' })
    const { updated_at: _, ...active } = after
    assert.deepEqual(active, { ...wanted, created_at, node_uuid: node.uuid, state: 'active' })
    const shown = (await ask('GET', `/v1/nodes/${node.uuid}`)).body
    assert.deepEqual([shown.allocation_uuid, shown.instance_uuid], [UUID, UUID])
    assert.deepEqual((await ask('GET', `/v1/nodes/n1/allocation`)).body, after)
    assert.deepEqual(Object.keys((await ask('GET', '/v1/nodes/n1/allocation?fields=state')).body), ['state', 'links'])
  })

  const choices: readonly { what: string; more?: Partial<Node>[]; body: Json; gets?: string; error?: string }[] = [
    { what: 'by traits', more: [{ name: 'n2', traits: ['CUSTOM_A'] }], body: { traits: ['CUSTOM_A'] }, gets: 'n2' },
    { what: 'by name or uuid', more: [{ name: 'n2' }], body: { candidate_nodes: ['n2'] }, gets: 'n2' },
    { what: 'that has its name first', more: [{ name: 'n2' }], body: { name: 'n2' }, gets: 'n2' },
    { what: 'of its owner', more: [{ name: 'n2', owner: 'red' }], body: { owner: 'red' }, gets: 'n2' },
    { what: 'lent to its owner', more: [{ name: 'n2', lessee: 'red' }], body: { owner: 'red' }, gets: 'n2' },
    {
      what: 'none of another class',
      body: { resource_class: 'large' },
      error: 'no available nodes match the resource class large',
    },
    {
      what: 'none that lacks a trait',
      body: { traits: ['CUSTOM_A', 'CUSTOM_B'] },
      error: 'no suitable nodes have the requested traits CUSTOM_A, CUSTOM_B',
    },
    {
      what: 'none but the candidates',
      more: [{ name: 'n2', maintenance: true }],
      body: { candidate_nodes: ['n2'] },
      error: 'none of the requested nodes are available and match the resource class small',
    },
  ]
  for (const { what, more = [], body, gets, error } of choices) {
    it(`chooses a node ${what}`, async (t) => {
      const rig = await scene(t, ...more)

      const made = await rig.ask('POST', '/v1/allocations', { resource_class: 'small', ...body })
      assert.equal(made.status, 201, made.text)
      const { state, node_uuid, last_error, uuid } = await settled(rig, made.body.uuid)

      const its = gets === undefined ? null : rig.store.nodes.find(gets).uuid
      const reason = error === undefined ? null : `Failed to process allocation ${uuid}: ${error}.`
      assert.deepEqual([state, node_uuid, last_error], [gets ? 'active' : 'error', its, reason])
    })
  }

  for (const state of [
    { maintenance: true },
    { instance_uuid: INSTANCE },
    { provision_state: 'manageable' },
    { power_state: null },
  ] as const satisfies Partial<Node>[]) {
    it(`does not choose a node with ${JSON.stringify(state)}`, async (t) => {
      const rig = await scene(t)
      await rig.store.nodes.update(rig.node.uuid, state)

      const made = await rig.ask('POST', '/v1/allocations', { resource_class: 'small' })

      assert.equal((await settled(rig, made.body.uuid)).state, 'error')
    })
  }

  it('says what is wrong', async (t) => {
    const { ask } = await scene(t)
    const small = { resource_class: 'small' }
    await ask('POST', '/v1/allocations', { ...small, name: 'taken' })
    const refused: readonly [body: Json, status: number, fault: RegExp, version?: string][] = [
      [{}, 400, /^The resource_class field is mandatory when not backfilling$/],
      [{ ...small, name: 'a b' }, 400, /^Cannot create allocation with invalid name 'a b'$/],
      [{ ...small, name: 'taken' }, 409, /^An allocation with name taken already exists\.$/],
      [{ ...small, candidate_nodes: ['n1', 'n8', 'n9'] }, 400, /^Nodes cannot be found: n8, n9$/],
      [{ ...small, traits: ['fast'] }, 400, /^Schema error for allocation: traits\/0 is 'fast'/],
      [{ ...small, node: 'n9' }, 400, /^Node n9 could not be found\.$/],
      [{ node: 'n1' }, 400, /^Cannot set node when creating an allocation in this API version$/, '1.57'],
      [{ ...small, owner: 'red' }, 406, /^Request not acceptable/, '1.59'],
      [small, 405, /^The API version does not allow allocations$/, '1.51'],
    ]
    for (const [body, status, fault, version = '1.115'] of refused) {
      const answer = await ask('POST', '/v1/allocations', body, { version })

      assert.equal(answer.status, status, `${JSON.stringify(body)} ${answer.text}`)
      assert.match(answer.fault, fault)
    }
    assert.equal((await ask('GET', '/v1/allocations', undefined, { version: '1.51' })).status, 404)
  })
})

describe('POST /v1/allocations of a node in use', () => {
  it('takes its class, and its instance for the uuid', async (t) => {
    const { ask, node, store } = await scene(t)
    await store.nodes.update(node.uuid, { provision_state: 'active', instance_uuid: INSTANCE })

    const { status, body } = await ask('POST', '/v1/allocations', { node: 'n1' })

    assert.equal(status, 201)
    assert.deepEqual(
      [body.uuid, body.state, body.node_uuid, body.resource_class],
      [INSTANCE, 'active', node.uuid, 'small'],
    )
    assert.equal(store.nodes.get(node.uuid)?.allocation_uuid, INSTANCE)
  })

  it('is refused where it does not fit, and the record says why', async (t) => {
    const { ask, node, store } = await scene(t)
    const asked = async (body: Json) => {
      const { status, fault } = await ask('POST', '/v1/allocations', { node: 'n1', uuid: UUID, ...body })
      const kept = store.allocations.get(UUID)
      if (kept) await store.allocations.delete(UUID)
      assert.deepEqual([kept?.state, kept?.last_error], ['error', fault])
      return [status, fault]
    }
    const cannot = `Failed to process allocation ${UUID}: Cannot backfill an allocation for node ${node.uuid}: `

    const available = await asked({})
    await store.nodes.update(node.uuid, { provision_state: 'active', instance_uuid: INSTANCE })
    const other = await asked({ resource_class: 'large' })
    const associated = await asked({})

    const state = 'Node must be in the "active" state, but the current state is "available".'
    assert.deepEqual(available, [400, `${cannot}${state}`])
    assert.deepEqual(other, [400, `${cannot}Resource class small does not match the requested resource class large.`])
    assert.deepEqual(associated, [409, `Node ${node.uuid} is associated with instance ${INSTANCE}.`])
  })
})

describe('an allocation', () => {
  async function allocated(t: TestContext, fields: Json = {}) {
    const rig = await scene(t)
    const { body } = await rig.ask('POST', '/v1/allocations', { resource_class: 'small', name: 'one', ...fields })
    await settled(rig, body.uuid)
    return { ...rig, uuid: String(body.uuid) }
  }

  it('is listed by node, class, state and owner', async (t) => {
    const { ask, uuid } = await allocated(t, { owner: null })
    const found = async (query: string) => listed(await ask('GET', `/v1/allocations?${query}`), 'allocations')

    for (const query of ['node=n1', 'resource_class=small', 'state=active'])
      assert.deepEqual(await found(query), [uuid], query)
    for (const query of ['resource_class=large', 'state=error', 'owner=red']) assert.deepEqual(await found(query), [])
    for (const path of ['/v1/allocations?node=n9', '/v1/nodes/n9/allocation'])
      assert.deepEqual((await ask('GET', path)).fault, 'Node n9 could not be found.')
    assert.equal((await ask('GET', '/v1/allocations?node=n9')).status, 400)
    assert.equal((await ask('DELETE', '/v1/nodes/n9/allocation')).status, 404)
    assert.equal((await ask('GET', '/v1/allocations?owner=red', undefined, { version: '1.59' })).status, 406)
    assert.equal((await ask('GET', '/v1/allocations?sort_key=traits')).status, 400)
    assert.equal('owner' in (await ask('GET', '/v1/allocations/one', undefined, { version: '1.59' })).body, false)
  })

  it('has its name and extra patched, since 1.57, and nothing else', async (t) => {
    const { ask, uuid } = await allocated(t)
    const patch = (op: object, version = '1.115') => ask('PATCH', `/v1/allocations/${uuid}`, [op], { version })

    const named = await patch(add('/name', 'two'))
    const extra = await patch(add('/extra/a', 1))
    const refused = [
      await patch(add('/resource_class', 'large')),
      await patch(add('/name', 'a b')),
      await patch(add('/name', 'x'), '1.56'),
    ].map(({ status, fault }) => `${status} ${fault}`)

    assert.deepEqual([named.body.name, extra.body.extra], ['two', { a: 1 }])
    assert.deepEqual(refused, [
      '400 Cannot patch /resource_class. Only the following can be updated: extra, name',
      "400 Cannot update allocation with invalid name 'a b'",
      '405 The API version does not allow updating allocations',
    ])
  })

  it('frees its node when it is deleted, by itself or below the node', async (t) => {
    for (const path of ['/v1/allocations/one', '/v1/nodes/n1/allocation']) {
      const { ask, node, store } = await allocated(t)

      const { status } = await ask('DELETE', path)

      const now = store.nodes.get(node.uuid)
      assert.deepEqual([status, now?.allocation_uuid, now?.instance_uuid], [204, null, null], path)
      assert.equal(store.allocations.size, 0)
      const absent = await ask('GET', '/v1/nodes/n1/allocation')
      assert.deepEqual([absent.status, absent.fault], [404, 'Allocation for node n1 was not found'])
    }
  })

  it('stays while its node is in use, unless that is in maintenance', async (t) => {
    const { ask, node, store, uuid } = await allocated(t)
    const remove = async (state: Partial<Node>) => {
      await store.nodes.update(node.uuid, state)
      const { status, fault } = await ask('DELETE', '/v1/allocations/one')
      return `${status} ${fault}`
    }
    const cannot = `409 Cannot remove allocation ${uuid} for node ${node.uuid}, because the node is `

    const active = await remove({ provision_state: 'active' })
    const moving = await remove({ provision_state: 'deploying', target_provision_state: 'active' })
    const maintained = await remove({ maintenance: true })

    assert.equal(active, `${cannot}active (and maintenance mode is off)`)
    assert.equal(moving, `${cannot}in state deploying where updates are not allowed (and maintenance mode is off)`)
    assert.equal(maintained, '204 ')
  })

  it('goes when instance_uuid is removed from its node, which may be done out of use alone', async (t) => {
    const { ask, node, store } = await allocated(t)
    const free = () => ask('PATCH', '/v1/nodes/n1', [{ op: 'remove', path: '/instance_uuid' }])

    const changed = await ask('PATCH', '/v1/nodes/n1', [add('/instance_uuid', INSTANCE)])
    await store.nodes.update(node.uuid, { provision_state: 'active' })
    const active = await free()
    await store.nodes.update(node.uuid, { provision_state: 'available' })
    const freed = await free()

    assert.equal(changed.status, 409)
    assert.equal(active.status, 409)
    assert.match(active.fault, /^Node .* with an allocation can not have instance_uuid removed unless it is in one of/)
    assert.deepEqual([freed.status, freed.body.allocation_uuid, freed.body.instance_uuid], [200, null, null])
    assert.equal(store.allocations.size, 0)
  })

  it('goes with its node', async (t) => {
    const { ask, node, store } = await allocated(t)
    const refused = await ask('DELETE', '/v1/nodes/n1')
    await store.nodes.update(node.uuid, { maintenance: true })

    const gone = await ask('DELETE', '/v1/nodes/n1')

    assert.deepEqual([refused.status, gone.status, store.allocations.size], [409, 204, 0])
  })

  it('with an owner keeps the owner of its node', async (t) => {
    const rig = await scene(t, { name: 'n2', owner: 'red' })
    const { body } = await rig.ask('POST', '/v1/allocations', { resource_class: 'small', owner: 'red' })
    await settled(rig, body.uuid)

    const { status, fault } = await rig.ask('PATCH', '/v1/nodes/n2', [add('/owner', 'blue')])

    assert.equal(status, 409)
    assert.match(fault, /^Cannot update owner of node .* while it is allocated to an allocation with an owner\.$/)
  })
})
