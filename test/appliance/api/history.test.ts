/** /v1/nodes/{node}/history, over HTTP. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { createHistories } from '../../../appliance/records/histories.ts'
import { BASE, enrolled, type Json, openRig } from './rig.ts'

const EVENT = {
  ...({ severity: 'ERROR', event_type: 'deploying', conductor: 'rack-1', user: null, project: null } as const),
  ...({ state: 'deploying', target_provision_state: 'active', duration_seconds: 3 } as const),
}
const KEYS = ['uuid', 'created_at', 'severity', 'event_type', 'event', 'conductor', 'user']

async function scene(t: TestContext, ...events: string[]) {
  const rig = await openRig(t)
  const node = await enrolled(rig.ask, { name: 'one' })
  const histories = createHistories(join(rig.config.DEFAULT.state_path, 'histories'))
  for (const event of events) await histories.add(node.uuid, { ...EVENT, event })
  const list = async (query = '', version = '1.115') =>
    (await rig.ask('GET', `/v1/nodes/one/history${query}`, undefined, { version })).body.history as Json[]
  return { ...rig, uuid: node.uuid, list }
}

describe('the history of a node in the API', () => {
  it('is short in a list, and whole with detail', async (t) => {
    const { list, uuid } = await scene(t, 'x'.repeat(300))

    const [short] = await list()
    const [whole] = await list('?detail=True')

    const event = String(short?.uuid)
    assert.deepEqual(short, {
      ...{ uuid: event, created_at: short?.created_at, severity: 'ERROR', event: `${'x'.repeat(251)}...` },
      links: [{ href: `${BASE}/v1/nodes/${uuid}/history/${event}`, rel: 'self' }],
    })
    assert.deepEqual(whole, { ...EVENT, ...short, event: 'x'.repeat(300) })
  })

  it('is told event by event', async (t) => {
    const { ask, list } = await scene(t, 'one', 'two')
    const [, second] = await list('?detail=True')

    const one = await ask('GET', `/v1/nodes/one/history/${second?.uuid}`)
    const none = await ask('GET', '/v1/nodes/one/history/2be26c0b-03f2-4d2e-ae87-c02d7f33c123')

    assert.deepEqual([one.status, one.body], [200, second])
    assert.deepEqual(
      [none.status, none.fault],
      [404, 'Node history record 2be26c0b-03f2-4d2e-ae87-c02d7f33c123 could not be found.'],
    )
  })

  it('has the fields of its version', async (t) => {
    const { list } = await scene(t, 'one')
    const keys = async (version: string) => Object.keys((await list('?detail=True', version))[0] ?? {})

    assert.deepEqual(await keys('1.78'), [...KEYS, 'links'])
    assert.deepEqual(await keys('1.113'), [...KEYS, 'project', 'links'])
    assert.deepEqual(await keys('1.115'), [
      ...[...KEYS, 'project', 'state', 'target_provision_state', 'duration_seconds', 'links'],
    ])
  })

  it('is paged and sorted', async (t) => {
    const { ask, list } = await scene(t, 'b', 'a', 'c')
    const texts = async (query: string) => (await list(query)).map(({ event }) => event)

    const { body } = await ask('GET', '/v1/nodes/one/history?limit=2')
    const [, marker] = body.history as Json[]

    assert.equal(body.next, `${BASE}/v1/nodes/one/history?limit=2&marker=${marker?.uuid}`)
    assert.deepEqual(await texts(`?limit=2&marker=${marker?.uuid}`), ['c'])
    assert.deepEqual(await texts('?sort_key=event'), ['a', 'b', 'c'])
    assert.deepEqual(await texts('?sort_dir=desc'), ['c', 'a', 'b'])
    assert.equal((await ask('GET', '/v1/nodes/one/history?limit=-1')).status, 400)
    assert.equal((await ask('GET', '/v1/nodes/nobody/history')).status, 404)
  })

  it('goes with its node', async (t) => {
    const { ask, uuid, conductor } = await scene(t, 'one')

    assert.equal((await ask('DELETE', `/v1/nodes/${uuid}`)).status, 204)

    assert.deepEqual(await conductor.history(uuid), [])
  })
})
