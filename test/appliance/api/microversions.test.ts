import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { enrolled, openRig } from './rig.ts'

const RANGE = 'The supported version range is: [1.1, 1.115].'
const LONG_HEADER = 'X-OpenStack-Ironic-API-Version'

describe('microversions', () => {
  it('tells the version served and the range in every answer; 1.1 is served when none is asked for', async (t) => {
    const { ask } = await openRig(t)

    const asked = [
      { version: '', served: '1.1' },
      { version: '1.80', served: '1.80' },
      { version: 'latest', served: '1.115' },
    ]
    for (const { version, served } of asked) {
      const { headers, status } = await ask('GET', '/v1/nodes', undefined, { version })

      assert.equal(status, 200)
      assert.equal(headers.get(LONG_HEADER), served)
      assert.equal(headers.get('X-OpenStack-Ironic-API-Minimum-Version'), '1.1')
      assert.equal(headers.get('X-OpenStack-Ironic-API-Maximum-Version'), '1.115')
    }
  })

  it('takes OpenStack-API-Version, which goes before the older header', async (t) => {
    const { ask } = await openRig(t)
    const headers = { 'OpenStack-API-Version': 'compute 2.1, baremetal 1.61' }

    const answer = await ask('GET', '/v1/nodes', undefined, { version: '1.10', headers })

    assert.equal(answer.headers.get(LONG_HEADER), '1.61')
  })

  const refused = [
    {
      version: '1.999',
      description: `Version 1.999 was requested but the minor version is not supported by this service. ${RANGE}`,
    },
    {
      version: '1.0',
      description: `Version 1.0 was requested but the minor version is not supported by this service. ${RANGE}`,
    },
    {
      version: '2.6',
      description: `Mutually exclusive versions requested. Version 2.6 requested but not supported by this service. ${RANGE}`,
    },
    { version: 'newest', description: `Invalid value for ${LONG_HEADER} header` },
  ]
  for (const { version, description } of refused) {
    it(`refuses ${version} with 406, the range, and no served version`, async (t) => {
      const { ask } = await openRig(t)

      const { status, headers, body } = await ask('GET', '/v1/nodes', undefined, { version })

      assert.equal(status, 406)
      assert.deepEqual(JSON.parse(String(body.error_message)), { code: 406, title: 'Not Acceptable', description })
      assert.equal(headers.get(LONG_HEADER), null)
      assert.equal(headers.get('X-OpenStack-Ironic-API-Maximum-Version'), '1.115')
    })
  }

  it('cuts the fields of a node at the version asked for', async (t) => {
    const { ask } = await openRig(t)
    const { uuid } = await enrolled(ask, { name: 'n1' })
    const keysAt = async (version: string) =>
      Object.keys((await ask('GET', `/v1/nodes/${uuid}`, undefined, { version })).body)

    const first = await keysAt('1.1')
    const later = await keysAt('1.31')

    for (const name of ['name', 'driver_internal_info', 'deploy_interface', 'traits', 'states']) {
      assert.ok(!first.includes(name), `${name} is not in 1.1`)
    }
    assert.ok(first.includes('driver_info') && first.includes('ports'))
    assert.ok(later.includes('deploy_interface') && later.includes('states') && !later.includes('rescue_interface'))
  })

  it('tells the states of a node in the words of the version', async (t) => {
    const { ask, store } = await openRig(t)
    const { uuid } = await enrolled(ask)
    const stateAt = async (version: string) =>
      (await ask('GET', `/v1/nodes/${uuid}/states`, undefined, { version })).body.provision_state

    await store.nodes.update(uuid, { provision_state: 'available' })

    assert.equal(await stateAt('1.1'), null)
    assert.equal(await stateAt('1.2'), 'available')

    await store.nodes.update(uuid, { provision_state: 'inspect wait' })

    assert.equal(await stateAt('1.38'), 'inspecting')
    assert.equal(await stateAt('1.39'), 'inspect wait')
  })
})
