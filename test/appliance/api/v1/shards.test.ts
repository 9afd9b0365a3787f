import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { enrolled, openRig } from '../rig.ts'

describe('GET /v1/shards', () => {
  it('counts the nodes of each, the largest first, those of none as Ironic does', async (t) => {
    const { ask } = await openRig(t)
    const empty = await ask('GET', '/v1/shards')
    for (const shard of ['one', 'two', 'two', 'two', null, null]) await enrolled(ask, { shard })

    const { body } = await ask('GET', '/v1/shards')

    assert.deepEqual(empty.body, { shards: [] })
    assert.deepEqual(body.shards, [
      { name: 'two', count: 3 },
      { name: 'None', count: 2 },
      { name: 'one', count: 1 },
    ])
    assert.equal((await ask('GET', '/v1/shards', undefined, { version: '1.81' })).status, 404)
    assert.equal((await ask('GET', '/v1/shards/two')).status, 404)
  })
})
