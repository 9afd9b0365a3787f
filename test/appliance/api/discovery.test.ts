import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { broken } from './conductors.ts'
import { BASE, enrolled, listed, openRig } from './rig.ts'

describe('discovery', () => {
  it('shows the range of versions at /, where agents look first', async (t) => {
    const { ask } = await openRig(t)

    const { body } = await ask('GET', '/', undefined, { version: '' })

    const v1 = {
      id: 'v1',
      links: [{ href: `${BASE}/v1/`, rel: 'self' }],
      status: 'CURRENT',
      min_version: '1.1',
      version: '1.115',
    }
    assert.deepEqual(body.default_version, v1)
    assert.deepEqual(body.versions, [v1])
  })

  it('lists at /v1 the collections that are served, by version', async (t) => {
    const { ask } = await openRig(t)
    const collectionsAt = async (version: string) => {
      const { body } = await ask('GET', '/v1/', undefined, { version })
      const { id: _, links: __, media_types: ___, version: ____, ...collections } = body
      return collections
    }

    const now = await collectionsAt('1.115')

    assert.deepEqual(Object.keys(now), [
      ...['chassis', 'nodes', 'ports', 'portgroups', 'allocations'],
      ...['deploy_templates', 'runbooks', 'inspection_rules'],
      ...['drivers', 'lookup', 'heartbeat', 'volume', 'shards', 'conductors', 'events'],
    ])
    assert.deepEqual(now.nodes, [
      { href: `${BASE}/v1/nodes/`, rel: 'self' },
      { href: `${BASE}/nodes/`, rel: 'bookmark' },
    ])
    assert.deepEqual(Object.keys(await collectionsAt('1.1')), ['chassis', 'nodes', 'ports', 'drivers'])
  })

  it('takes a slash at the end for nothing, and /nodes for /v1/nodes', async (t) => {
    const { ask } = await openRig(t)
    const { uuid } = await enrolled(ask)

    for (const path of ['/v1/nodes', '/v1/nodes/', '/v1/nodes/?limit=5', '/nodes', '/nodes/']) {
      assert.deepEqual(listed(await ask('GET', path)), [uuid], path)
    }
  })

  it('builds links on [api] public_endpoint when it is set', async (t) => {
    const { ask } = await openRig(t, { api: { public_endpoint: 'https://rack.example/baremetal/' } })

    const { uuid, links } = await enrolled(ask)

    assert.deepEqual(links, [
      { href: `https://rack.example/baremetal/v1/nodes/${uuid}`, rel: 'self' },
      { href: `https://rack.example/baremetal/nodes/${uuid}`, rel: 'bookmark' },
    ])
  })
})

describe('errors of the API', () => {
  it('have the shape of the wire: a string that holds JSON', async (t) => {
    const { ask } = await openRig(t)

    const { status, body } = await ask('GET', '/v1/shelves')

    assert.equal(status, 404)
    assert.deepEqual(body, {
      error_message:
        '{"faultcode":"Client","faultstring":"GET /v1/shelves could not be found in API version 1.115.","debuginfo":null}',
    })
  })

  it('carry a request id that the log has, too', async (t) => {
    const { ask, lines } = await openRig(t)

    const { headers } = await ask('PUT', '/v1/nodes/nobody/maintenance', {})

    const id = headers.get('X-OpenStack-Request-Id')
    assert.match(String(id), /^req-[0-9a-f-]{36}$/)
    assert.equal(headers.get('OpenStack-Request-Id'), id)
    const logged = lines.find(({ request_id }) => request_id === id)
    assert.deepEqual([logged?.method, logged?.path, logged?.code], ['PUT', '/v1/nodes/nobody/maintenance', 404])
  })

  it('tell what the BMC did wrong as a fault of the server', async (t) => {
    const { ask } = await openRig(t, { conductor: broken })
    const { uuid } = await enrolled(ask)

    const { status, body } = await ask('GET', `/v1/nodes/${uuid}/management/boot_device`)

    assert.equal(status, 502)
    assert.deepEqual(JSON.parse(String(body.error_message)), {
      faultcode: 'Server',
      faultstring: 'The BMC is gone',
      debuginfo: null,
    })
  })

  it('keep what nobody foresaw to the log, and give its request id', async (t) => {
    const failure = new TypeError('cannot read "hunter2"')
    const { ask, lines } = await openRig(t, { conductor: (real) => broken(real, failure) })
    const { uuid } = await enrolled(ask)

    const { status, fault, headers } = await ask('GET', `/v1/nodes/${uuid}/validate`)

    const id = headers.get('X-OpenStack-Request-Id')
    assert.equal(status, 500)
    assert.equal(fault, `The appliance failed on this request. Its log says why, under request id ${id}.`)
    const logged = lines.find(({ message }) => message === 'api request failed')
    assert.equal(logged?.request_id, id)
    assert.match(JSON.stringify(logged), /discovery\.test\.ts/)
  })

  it('are counted by method and code', async (t) => {
    const { ask, metrics } = await openRig(t)

    await ask('GET', '/v1/nodes/nobody')

    const text = await metrics.registry.metrics()
    assert.match(text, /rackstrap_api_request_duration_seconds_count\{method="GET",code="404"\} 1/)
  })
})
