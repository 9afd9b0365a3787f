/** A BMC that lies: lists without end, resources that are huge together, values of another type than the schema's. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { redfishBios } from '../../appliance/hardware/bios/redfish.ts'
import { interfaceTask } from '../../appliance/plugin-testing/interface-task.ts'
import { redfishRig } from '../appliance/hardware/redfish/rig.ts'
import { SYSTEM } from '../rack/redfish-bmc.ts'

const linked = (count: number, path: string) => Array.from({ length: count }, (_, at) => ({ '@odata.id': path + at }))

describe('a BMC that lies', () => {
  const rig = redfishRig()

  it('has no more of its drives held in memory than a server has', async () => {
    const text = JSON.stringify({ Id: 'x'.repeat(2_000_000), IndicatorLED: 'Lit' })
    rig.bmc.resources.set(`${SYSTEM}/Storage`, { Members: [{ '@odata.id': `${SYSTEM}/Storage/1` }] })
    rig.bmc.resources.set(`${SYSTEM}/Storage/1`, { Drives: linked(200, '/drive/') })
    rig.bmc.resources.set(SYSTEM, {
      ...rig.bmc.resources.get(SYSTEM),
      Storage: { '@odata.id': `${SYSTEM}/Storage` },
    })
    rig.bmc.behaviour = ({ path }) => (path.startsWith('/drive/') ? { status: 200, text } : undefined)

    await assert.rejects(rig.redfish().getIndicators?.(interfaceTask(rig.node())) ?? Promise.resolve(), {
      name: 'RedfishFailure',
      message: /lists resources of more than 33554432 bytes together\.$/,
    })

    const asked = rig.bmc.requests.filter(({ path }) => path.startsWith('/drive/'))
    assert.ok(asked.length < 25, `${asked.length} drives were asked for`)
  })

  it('is asked for no more managers than a server has', async () => {
    rig.bmc.resources.set(SYSTEM, {
      ...rig.bmc.resources.get(SYSTEM),
      Links: { ManagedBy: linked(2_000, '/manager/') },
      VirtualMedia: undefined,
    })
    rig.bmc.behaviour = ({ path }) => (path.startsWith('/manager/') ? { status: 200, body: {} } : undefined)
    const { attachVirtualMedia } = rig.redfish()

    const image = new URL('http://192.0.2.1/a.iso')
    await assert.rejects(
      attachVirtualMedia?.(interfaceTask(rig.node()), 'cdrom', image) ?? Promise.resolve(),
      /shows no virtual media/,
    )

    assert.ok(rig.bmc.requests.filter(({ path }) => path.startsWith('/manager/')).length <= 10)
  })

  it('has a BIOS setting that is no value told as the text that it is', async () => {
    rig.bmc.resources.set(`${SYSTEM}/Bios`, { Attributes: { A: { toString: 1, valueOf: 1 }, B: 2 } })

    const settings = await redfishBios(rig.shared()).getSettings?.(interfaceTask(rig.node()))

    assert.deepEqual(settings, [
      { name: 'A', value: '{"toString":1,"valueOf":1}' },
      { name: 'B', value: '2' },
    ])
  })
})
