/** /v1/events, over HTTP. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openRig } from './rig.ts'

const EVENT = {
  ...{ event: 'network.bind_port', port_id: '11111111-aaaa-bbbb-cccc-555555555555', status: 'ACTIVE' },
  ...{ mac_address: 'de:ad:ca:fe:ba:be', device_id: '22222222-aaaa-bbbb-cccc-555555555555' },
}

describe('external events', () => {
  it('are taken and logged', async (t) => {
    const { ask, lines } = await openRig(t)
    const second = { ...EVENT, event: 'network.delete_port', 'binding:vnic_type': null, 'binding:host_id': null }

    const { status, text } = await ask('POST', '/v1/events', { events: [EVENT, second] })

    assert.deepEqual([status, text], [204, ''])
    const logged = lines.filter(({ message }) => message === 'external event received')
    assert.deepEqual(
      logged.map(({ event, port_id }) => [event, port_id]),
      [
        ['network.bind_port', EVENT.port_id],
        ['network.delete_port', EVENT.port_id],
      ],
    )
  })

  it('are refused when they are none', async (t) => {
    const { ask } = await openRig(t)
    const { event: _, ...nameless } = EVENT

    for (const body of [
      ...[{}, { events: [] }, { events: {} }, { events: [nameless] }, { events: [EVENT], more: 1 }, []],
      ...[{ events: [{ ...EVENT, event: 'network.fly' }] }, { events: [{ ...EVENT, port_id: 'x' }] }],
      ...[{ events: [{ ...EVENT, mac_address: 'x' }] }, { events: [{ ...EVENT, extra: 1 }] }],
      ...[{ events: [{ ...EVENT, status: null }] }, { events: [{ ...EVENT, device_id: 'x' }] }],
    ]) {
      assert.equal((await ask('POST', '/v1/events', body)).status, 400, JSON.stringify(body))
    }
    assert.equal((await ask('POST', '/v1/events', { events: [EVENT] }, { version: '1.53' })).status, 404)
    assert.equal((await ask('POST', '/v1/events', { events: [EVENT] }, { version: '1.54' })).status, 204)
  })
})
