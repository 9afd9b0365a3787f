/** The boot from virtual media, on a BMC that is a table of resources. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { redfishVirtualMediaBoot } from '../../../../appliance/hardware/boot/redfish-virtual-media.ts'
import { interfaceTask } from '../../../../appliance/plugin-testing/interface-task.ts'
import { MEDIA } from '../../../rack/redfish-bmc.ts'
import { redfishRig } from './rig.ts'

const ISO = 'http://192.0.2.1:8080/boot/iso/N/~number.iso'

describe('boot interface redfish-virtual-media', () => {
  const rig = redfishRig()
  const boot = () => redfishVirtualMediaBoot(rig.shared())

  it('has the BMC show the ISO of this boot, boots from it once, and takes it away after', async () => {
    const devices: unknown[] = []
    const task = {
      ...interfaceTask(rig.node()),
      deployIso: async () => new URL(ISO),
      bootFrom: async (...given: unknown[]) => void devices.push(given),
    }

    await boot().prepareRamdisk(task)
    assert.equal(rig.bmc.resources.get(`${MEDIA}/Cd`)?.Image, ISO)
    assert.deepEqual(devices, [['cdrom', { persistent: false }]])

    await boot().cleanUpRamdisk?.(interfaceTask(rig.node()))
    assert.equal(rig.bmc.resources.get(`${MEDIA}/Cd`)?.Inserted, false)
  })

  it('refuses an external_http_url that no BMC could fetch from', async () => {
    const validate = async (external_http_url: unknown) =>
      boot().validate(interfaceTask(rig.node({ external_http_url })))

    await validate('https://box.example:8443')
    for (const wrong of ['box.example', 'ftp://box.example', 7]) {
      await assert.rejects(validate(wrong), {
        name: 'InvalidParameterValue',
        message: `driver_info/external_http_url of node ${rig.node().uuid} is ${JSON.stringify(wrong)}: expected an http(s) address.`,
      })
    }
  })
})
