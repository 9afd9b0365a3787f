import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BASE, type Json, listed, openRig } from './rig.ts'

describe('/v1/drivers', () => {
  it('lists the enabled hardware types, with their interfaces when asked for', async (t) => {
    const { ask } = await openRig(t)

    const short = await ask('GET', '/v1/drivers')
    const whole = await ask('GET', '/v1/drivers?detail=True')

    assert.deepEqual((short.body.drivers as Json[])[0], {
      name: 'ipmi',
      hosts: ['rack-1'],
      links: [
        { href: `${BASE}/v1/drivers/ipmi`, rel: 'self' },
        { href: `${BASE}/drivers/ipmi`, rel: 'bookmark' },
      ],
      properties: [
        { href: `${BASE}/v1/drivers/ipmi/properties`, rel: 'self' },
        { href: `${BASE}/drivers/ipmi/properties`, rel: 'bookmark' },
      ],
      type: 'dynamic',
    })
    assert.deepEqual(listed(whole, 'drivers', 'name'), ['ipmi', 'fake-hardware'])
    assert.deepEqual(listed(whole, 'drivers', 'default_power_interface'), ['ipmitool', 'fake'])
    assert.deepEqual(listed(await ask('GET', '/v1/drivers?type=classic'), 'drivers'), [])
  })

  it('shows one, cut at the version', async (t) => {
    const { ask } = await openRig(t)

    const { body } = await ask('GET', '/v1/drivers/ipmi')
    const early = await ask('GET', '/v1/drivers/ipmi', undefined, { version: '1.30' })
    const chosen = await ask('GET', '/v1/drivers/ipmi?fields=name,enabled_deploy_interfaces')

    assert.equal(body.default_deploy_interface, 'direct')
    assert.deepEqual(body.enabled_deploy_interfaces, ['direct'])
    assert.ok('enabled_network_interfaces' in early.body && !('enabled_rescue_interfaces' in early.body))
    assert.deepEqual(Object.keys(chosen.body).sort(), ['enabled_deploy_interfaces', 'links', 'name'])
  })

  it('tells the properties that its nodes may have', async (t) => {
    const { ask } = await openRig(t)

    const { body } = await ask('GET', '/v1/drivers/ipmi/properties')

    assert.match(String(body.ipmi_address), /address/i)
    const { body: ofDisks } = await ask('GET', '/v1/drivers/ipmi/raid/logical_disk_properties')
    assert.equal(ofDisks.raid_level, 'RAID level: JBOD, 0, 1, 2, 5, 6, 1+0, 5+0 or 6+0. Required.')
    assert.equal(Object.keys(ofDisks).length, 10)
    assert.deepEqual((await ask('GET', '/v1/drivers/ipmi/vendor_passthru/methods')).body, {})
  })

  it('names the ones there are when there is no such driver', async (t) => {
    const { ask } = await openRig(t)

    const { status, fault } = await ask('GET', '/v1/drivers/redfysh/properties')

    assert.equal(status, 404)
    assert.equal(
      fault,
      'Could not find the following driver(s) or hardware type(s): redfysh. Enabled ones: ipmi, fake-hardware.',
    )
  })
})

describe('/v1/conductors', () => {
  it('shows the one there is', async (t) => {
    const { ask } = await openRig(t)

    const list = await ask('GET', '/v1/conductors')
    const { body } = await ask('GET', '/v1/conductors/rack-1')

    assert.deepEqual(list.body, {
      conductors: [
        {
          hostname: 'rack-1',
          conductor_group: '',
          alive: true,
          links: [
            { href: `${BASE}/v1/conductors/rack-1`, rel: 'self' },
            { href: `${BASE}/conductors/rack-1`, rel: 'bookmark' },
          ],
        },
      ],
    })
    assert.deepEqual(body.drivers, ['ipmi', 'fake-hardware'])
    assert.equal((await ask('GET', '/v1/conductors/rack-2')).fault, 'Conductor rack-2 could not be found.')
    assert.deepEqual(listed(await ask('GET', '/v1/conductors?marker=rack-1'), 'conductors'), [])
    const detailed = await ask('GET', '/v1/conductors?detail=True&limit=1&sort_key=hostname&sort_dir=desc')
    assert.deepEqual(listed(detailed, 'conductors', 'drivers'), [['ipmi', 'fake-hardware']])
    const chosen = await ask('GET', '/v1/conductors?fields=hostname')
    assert.deepEqual(Object.keys((chosen.body.conductors as Json[])[0] ?? {}).sort(), ['hostname', 'links'])
    for (const [query, status] of [
      ['marker=rack-2', 404],
      ['limit=-1', 400],
      ['limit=many', 400],
      ['sort_key=alive', 400],
      ['sort_dir=up', 400],
      ['fields=colour', 400],
      ['detail=True&fields=hostname', 400],
    ] as const) {
      assert.equal((await ask('GET', `/v1/conductors?${query}`)).status, status, query)
    }
    assert.equal((await ask('GET', '/v1/conductors', undefined, { version: '1.48' })).status, 404)
  })
})
