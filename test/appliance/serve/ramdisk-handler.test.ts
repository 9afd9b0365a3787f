/** The rack's listener with the ramdisk's API on it, over real sockets. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { createRamdiskApi } from '../../../appliance/api/app.ts'
import { type RackHandler, startRackServer } from '../../../appliance/rack-server.ts'
import { ramdiskHandler } from '../../../appliance/serve/ramdisk-handler.ts'
import { asker, enrolled, openRig } from '../api/rig.ts'
import { quiet } from '../records/state-folder.ts'

async function onTheRack(t: TestContext, api: { enable_ramdisk_endpoints?: boolean } = {}) {
  const rig = await openRig(t, {
    api: { ...api, public_endpoint: 'https://api.example' },
    conductor: (real) => real,
  })
  const { store, config, metrics, conductor } = rig
  const handlers: RackHandler[] = [
    ramdiskHandler(createRamdiskApi({ store, config, metrics, conductor, log: quiet }), 'http://x'),
  ]
  const server = await startRackServer({ host: '127.0.0.1', port: 0 }, handlers, quiet)
  t.after(server.close)
  const base = `http://127.0.0.1:${server.port}`
  return { ...rig, base, rack: asker((path, init) => fetch(`${base}${path}`, init)) }
}

describe("the rack's side of the API", () => {
  it('tells its versions, and that it has what agents call alone', async (t) => {
    const { rack, base } = await onTheRack(t)

    const [root, v1] = [await rack('GET', '/'), await rack('GET', '/v1/')]

    assert.equal(root.status, 200)
    assert.equal(root.headers.get('x-openstack-ironic-api-maximum-version'), '1.115')
    assert.deepEqual(Object.keys(v1.body), [
      ...['id', 'links', 'media_types', 'version'],
      ...['lookup', 'heartbeat', 'continue_inspection'],
    ])
    assert.deepEqual(v1.body.lookup, [
      { href: `${base}/v1/lookup/`, rel: 'self' },
      { href: `${base}/lookup/`, rel: 'bookmark' },
    ])
  })

  it('takes lookups and heartbeats, whatever enable_ramdisk_endpoints says of the other side', async (t) => {
    const { rack, ask } = await onTheRack(t, { enable_ramdisk_endpoints: false })
    const { uuid } = await enrolled(ask)

    const lookup = await rack('GET', '/v1/lookup?addresses=52:54:00:00:00:01')
    const heartbeat = await rack('POST', `/v1/heartbeat/${uuid}`, { callback_url: 'https://192.0.2.5:9999' })
    const onTheOther = await ask('GET', '/v1/lookup?addresses=52:54:00:00:00:01')

    assert.equal(lookup.status, 404)
    assert.equal(lookup.fault, 'Resource could not be found.')
    assert.deepEqual([heartbeat.status, onTheOther.status], [400, 403])
    assert.match(heartbeat.fault, /^Agent token is required/)
  })

  it('has nothing else of the API, to read or to write', async (t) => {
    const { base, ask, store } = await onTheRack(t)
    const { uuid } = await enrolled(ask)
    const paths = ['/v1/nodes', '/nodes', `/v1/nodes/${uuid}`, '/v1/drivers', '/healthz', '/metrics', '/v1/lookup/x']

    for (const path of paths) assert.equal((await fetch(`${base}${path}`)).status, 404, path)
    for (const [method, path] of [
      ['DELETE', `/v1/nodes/${uuid}`],
      ['POST', '/v1/nodes'],
      ['PUT', `/v1/nodes/${uuid}/states/power`],
      ['POST', `//v1/nodes`],
    ] as const)
      assert.equal((await fetch(`${base}${path}`, { method })).status, 405, path)
    assert.equal(store.nodes.size, 1)
  })
})
