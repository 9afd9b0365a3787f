import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { type Answer, BASE, enrolled, type Json, listed, openRig } from './rig.ts'

const UUID = '5f2c0d9e-6f0b-4c43-9df3-6f1f7f4b8f10'

/** Nodes a, b, c, d in order of creation. */
async function four(t: TestContext) {
  const rig = await openRig(t)
  const fields: Json[] = [
    { name: 'a', resource_class: 'large', owner: 'red', description: 'top of rack' },
    { name: 'b', resource_class: 'small', shard: 'S1', instance_uuid: UUID },
    { name: 'c', driver: 'fake-hardware', lessee: 'red', conductor_group: 'East' },
    { name: 'd', retired: true, instance_name: 'db-1' },
  ]
  const uuids: string[] = []
  for (const each of fields) uuids.push((await enrolled(rig.ask, each)).uuid)
  await rig.store.nodes.update(uuids[3] ?? '', { maintenance: true, provision_state: 'active', fault: 'power failure' })
  const names = async (query: string, path = '/v1/nodes'): Promise<string> =>
    listed(await rig.ask('GET', `${path}?${query}`), 'nodes', 'name').join('')
  return { ...rig, uuids, names }
}

describe('GET /v1/nodes', () => {
  it('gives the few fields of a list, or those asked for, or all of them', async (t) => {
    const { ask } = await four(t)
    const keysOf = ({ body }: Answer) => Object.keys((body.nodes as Json[])[0] ?? {})

    const short = keysOf(await ask('GET', '/v1/nodes'))
    const chosen = keysOf(await ask('GET', '/v1/nodes?fields=name,driver'))
    const detail = keysOf(await ask('GET', '/v1/nodes?detail=True'))
    const whole = keysOf(await ask('GET', '/v1/nodes/detail'))

    assert.deepEqual(short, ['uuid', 'instance_uuid', 'maintenance', 'power_state', 'provision_state', 'name', 'links'])
    assert.deepEqual(chosen, ['name', 'driver', 'links'])
    assert.deepEqual(detail, whole)
    assert.equal(whole.length, 69)
  })

  const filtered = [
    ['', 'abcd'],
    ['associated=true', 'b'],
    ['associated=False', 'acd'],
    [`instance_uuid=${UUID}`, 'b'],
    ['instance_uuid=b3f1ac1e-7e4f-4f4c-8d6a-3a0a1f1f9d11', ''],
    ['maintenance=True', 'd'],
    ['maintenance=0', 'abc'],
    ['retired=yes', 'd'],
    ['provision_state=enroll', 'abc'],
    ['driver=fake-hardware', 'c'],
    ['resource_class=small', 'b'],
    ['conductor_group=east', 'c'],
    ['conductor=rack-1', 'abcd'],
    ['conductor=rack-2', ''],
    ['fault=power failure', 'd'],
    ['owner=red', 'a'],
    ['lessee=red', 'c'],
    ['project=red', 'ac'],
    ['description_contains=rack', 'a'],
    ['shard=s1,s2', 'b'],
    ['sharded=false', 'acd'],
    ['instance_name=db-1', 'd'],
    ['maintenance=false&driver=ipmi&associated=false', 'a'],
  ]
  it('is narrowed by each of its filters, and by several at once', async (t) => {
    const { names } = await four(t)

    for (const [query = '', expected] of filtered) assert.equal(await names(query), expected, query)
  })

  it('leaves children out unless they are asked for', async (t) => {
    const { ask, names, uuids } = await four(t)
    await enrolled(ask, { name: 'e', parent_node: 'a', owner: 'red' })

    assert.equal(await names(''), 'abcd')
    assert.equal(await names('include_children=true'), 'abcde')
    assert.equal(await names(`parent_node=${uuids[0]}`), 'e')
  })

  it('is sorted by a field, nodes without a value first', async (t) => {
    const { names } = await four(t)

    assert.equal(await names('sort_key=resource_class'), 'cdab')
    assert.equal(await names('sort_key=resource_class&sort_dir=desc'), 'badc')
    assert.equal(await names('sort_dir=desc'), 'dcba')
  })

  it('is given in pages whose links lead through all of it, the filters kept', async (t) => {
    const { ask } = await four(t)
    const pages: string[] = []

    let next: unknown = `${BASE}/v1/nodes?limit=2&sort_key=name&sort_dir=desc&maintenance=false`
    while (typeof next === 'string' && pages.length < 5) {
      const answer: Answer = await ask('GET', next.slice(BASE.length))
      pages.push(listed(answer, 'nodes', 'name').join(''))
      next = answer.body.next
    }

    assert.deepEqual(pages, ['cb', 'a'])
  })

  it('has no next link when nothing is left, and goes on from any marker', async (t) => {
    const { ask, names, uuids } = await four(t)

    const exact = await ask('GET', '/v1/nodes?limit=4')

    assert.equal('next' in exact.body, false)
    assert.equal(await names(`marker=${uuids[1]}`), 'cd')
    // The marker itself need not be let through by the filters.
    assert.equal(await names(`marker=${uuids[1]}&driver=ipmi&associated=false`), 'd')
  })

  it('holds no more than [api] max_limit at once', async (t) => {
    const { ask } = await openRig(t, { api: { max_limit: 2 } })
    for (const name of ['a', 'b', 'c']) await enrolled(ask, { name })

    const answer = await ask('GET', '/v1/nodes?limit=100')

    assert.deepEqual(listed(answer, 'nodes', 'name'), ['a', 'b'])
    assert.match(String(answer.body.next), /limit=2/)
  })

  const refused = [
    ['limit=0', 'Limit must be positive'],
    ['limit=many', "Schema error for limit: it is 'many': expected an integer"],
    ['sort_dir=up', "Schema error for sort_dir: it is 'up': Acceptable values are 'asc' or 'desc'"],
    ['sort_key=extra', 'The sort_key value "extra" is an invalid field for sorting'],
    ['sort_key=wait', 'The sort_key value "wait" is an invalid field for sorting'],
    ['colour=red', 'Unexpected arguments: colour'],
    [
      'provision_state=resting',
      'Schema error for provision_state: it is \'resting\': Provision state "resting" is not valid',
    ],
    ['fields=name&detail=True', 'Can not specify ?detail=True and fields in the same request.'],
    ['marker=n1', "Schema error for marker: it is 'n1': expected a UUID"],
  ]
  it('says which part of a query is wrong', async (t) => {
    const { ask } = await openRig(t)

    for (const [query, fault] of refused) {
      const answer = await ask('GET', `/v1/nodes?${query}`)

      assert.deepEqual([answer.status, answer.fault], [400, fault])
    }
  })

  it('refuses a marker that is gone', async (t) => {
    const { ask } = await openRig(t)

    const { status, fault } = await ask('GET', `/v1/nodes?marker=${UUID}`)

    assert.deepEqual([status, fault], [404, `Node ${UUID} could not be found.`])
  })

  it('refuses filters and fields of later versions', async (t) => {
    const { ask } = await openRig(t)
    const statusAt = async (version: string, query: string) =>
      (await ask('GET', `/v1/nodes?${query}`, undefined, { version })).status

    assert.equal(await statusAt('1.8', 'provision_state=active'), 406)
    assert.equal(await statusAt('1.15', 'driver=ipmi'), 406)
    assert.equal(await statusAt('1.7', 'fields=uuid'), 406)
    assert.equal(await statusAt('1.36', 'sort_key=shard'), 406)
    assert.equal(await statusAt('1.42', 'detail=True'), 400)
  })
})
