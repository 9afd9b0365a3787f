/** `.json` at the end of a path, which versions up to 1.90 take for nothing. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { enrolled, openRig } from '../rig.ts'

describe('.json at the end of a path', () => {
  it('means nothing up to 1.90, and belongs to the name since', async (t) => {
    const { ask } = await openRig(t)
    const { uuid } = await enrolled(ask, { name: 'n1' })
    const at = async (path: string, version: string) => (await ask('GET', path, undefined, { version })).status

    for (const path of [
      `/v1/nodes/${uuid}.json`,
      '/v1/nodes/n1.json',
      '/v1/nodes/n1.json/',
      '/v1/nodes/n1/states.json',
    ])
      assert.equal(await at(path, '1.90'), 200, path)
    assert.equal(await at('/v1/nodes.json', '1.90'), 200)
    assert.equal(await at('/v1/nodes/n1.json', '1.91'), 404)
    assert.equal(await at('/v1/nodes/n1.json', ''), 404)
  })

  it('is part of a name that has it, for who shows, patches or deletes', async (t) => {
    const { ask } = await openRig(t)
    const { uuid } = await enrolled(ask, { name: 'n1.json' })
    const version = { version: '1.90' }

    const shown = await ask('GET', '/v1/nodes/n1.json', undefined, version)
    const patched = await ask('PATCH', '/v1/nodes/n1.json', [{ op: 'add', path: '/extra/a', value: 1 }], version)
    const without = await ask('DELETE', '/v1/nodes/n1', undefined, version)
    const gone = await ask('DELETE', '/v1/nodes/n1.json', undefined, version)

    assert.equal(shown.body.uuid, uuid)
    assert.deepEqual([patched.status, without.status, gone.status], [200, 404, 204])
  })

  it('stands for the node without it first', async (t) => {
    const { ask } = await openRig(t)
    await enrolled(ask, { name: 'n1.json' })
    const { uuid } = await enrolled(ask, { name: 'n1' })

    assert.equal((await ask('GET', '/v1/nodes/n1.json', undefined, { version: '1.90' })).body.uuid, uuid)
  })
})
