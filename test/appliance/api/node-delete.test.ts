import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Node } from '../../../appliance/records/kinds/node.ts'
import { enrolled, openRig } from './rig.ts'

const INSTANCE = 'b3f1ac1e-7e4f-4f4c-8d6a-3a0a1f1f9d11'

describe('DELETE /v1/nodes/{node}', () => {
  it('takes the ports of the node with it', async (t) => {
    const { ask, store } = await openRig(t)
    const { uuid } = await enrolled(ask)
    await ask('POST', '/v1/ports', { node_uuid: uuid, address: '52:54:00:12:34:56' })

    const { status, text } = await ask('DELETE', `/v1/nodes/${uuid}`)

    assert.deepEqual([status, text], [204, ''])
    assert.deepEqual([store.nodes.size, store.ports.size], [0, 0])
  })

  it('leaves no port behind that was created at the same moment', async (t) => {
    const { ask, store } = await openRig(t)
    const { uuid } = await enrolled(ask)
    const macs = Array.from({ length: 8 }, (_, index) => `52:54:00:12:34:0${index}`)

    const [deleted, ...created] = await Promise.all([
      ask('DELETE', `/v1/nodes/${uuid}`),
      ...macs.map((address) => ask('POST', '/v1/ports', { node_uuid: uuid, address })),
    ])

    assert.equal(deleted?.status, 204)
    assert.ok(created.every(({ status }) => status === 201 || status === 400))
    assert.deepEqual([store.nodes.size, store.ports.size], [0, 0])
  })

  const cases: readonly { what: string; state: Partial<Node>; status: number }[] = [
    { what: 'goes when it is available', state: { provision_state: 'available' }, status: 204 },
    { what: 'stays while it is active', state: { provision_state: 'active' }, status: 409 },
    { what: 'goes in any state in maintenance', state: { provision_state: 'active', maintenance: true }, status: 204 },
    { what: 'stays while it has an instance', state: { instance_uuid: INSTANCE }, status: 409 },
    { what: 'stays while it is protected', state: { protected: true, maintenance: true }, status: 403 },
    { what: 'stays while it is locked', state: { reservation: 'rack-1' }, status: 409 },
  ]
  for (const { what, state, status } of cases) {
    it(`a node ${what}`, async (t) => {
      const { ask, store } = await openRig(t)
      const { uuid } = await enrolled(ask)
      await store.nodes.update(uuid, state)

      const answer = await ask('DELETE', `/v1/nodes/${uuid}`)

      assert.equal(answer.status, status)
      assert.equal(store.nodes.size, status === 204 ? 0 : 1)
    })
  }

  it('names the states in which it may go', async (t) => {
    const { ask, store } = await openRig(t)
    const { uuid } = await enrolled(ask)
    await store.nodes.update(uuid, { provision_state: 'deploy failed' })

    const { fault } = await ask('DELETE', `/v1/nodes/${uuid}`)

    assert.equal(
      fault,
      `Can not delete node "${uuid}" while it is in provision state "deploy failed". Valid provision states to perform ` +
        'deletion are: "manageable, enroll, adopt failed, available", or set the node into maintenance mode',
    )
  })
})
