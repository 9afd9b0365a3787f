/** parent_node of a node: who may be one, and what is listed. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { enrolled, listed, openRig } from '../rig.ts'

const refusal = (ident: string, why: string) =>
  `Unable to apply the requested parent_node '${ident}'. Requested value was invalid: ${why}.`

describe('parent_node', () => {
  it('is given by name or uuid, at creation or later, and taken away', async (t) => {
    const { ask } = await openRig(t)
    const parent = await enrolled(ask, { name: 'chassis' })
    const child = await enrolled(ask, { name: 'dpu' })
    const patch = (op: object) => ask('PATCH', '/v1/nodes/dpu', [op])

    const added = await patch({ op: 'add', path: '/parent_node', value: 'chassis' })
    const children = await ask('GET', '/v1/nodes/chassis/children')
    const names = listed(await ask('GET', '/v1/nodes'), 'nodes', 'name')
    const removed = await patch({ op: 'remove', path: '/parent_node' })

    assert.deepEqual([added.status, added.body.parent_node], [200, parent.uuid])
    assert.deepEqual(children.body.children, [child.uuid])
    assert.deepEqual(names, ['chassis'])
    assert.equal(removed.body.parent_node, null)
  })

  it('is a node of the same owner, and not the node itself', async (t) => {
    const { ask } = await openRig(t)
    const { uuid } = await enrolled(ask, { name: 'n1' })
    await enrolled(ask, { name: 'red', owner: 'red' })
    const given = async (parent_node: string) =>
      (await ask('PATCH', '/v1/nodes/n1', [{ op: 'add', path: '/parent_node', value: parent_node }])).fault

    assert.equal(await given('nobody'), refusal('nobody', 'there is no such node'))
    assert.equal(await given('red'), refusal('red', 'that node has another owner'))
    assert.equal(await given(uuid), refusal(uuid, 'a node is not its own parent'))
    const made = await ask('POST', '/v1/nodes', { driver: 'ipmi', parent_node: 'red' })
    assert.deepEqual([made.status, made.fault], [400, refusal('red', 'that node has another owner')])
  })
})
