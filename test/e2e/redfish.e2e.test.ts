/** Machines whose BMCs speak Redfish: sushy-tools' emulator in front of them, over https. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DEPLOY_DEADLINE_MS, deploy, foldersOf, ownImage, PREPARE_DEADLINE_MS, rackFor, showNode } from './racks.ts'

const MEDIA = 'redfish-virtual-media'

describe('a machine whose BMC speaks Redfish', () => {
  it('is enrolled, deployed from virtual media, and switched off by the real client', {
    timeout: PREPARE_DEADLINE_MS + DEPLOY_DEADLINE_MS,
  }, async (test) => {
    const image = await ownImage()
    const config = { DEFAULT: { enabled_boot_interfaces: `ipxe,${MEDIA}` } }
    await using rack = await rackFor(test, { images: foldersOf(image), redfish: true, config })

    const [timeline] = await deploy(rack, image, { node: { driver: 'redfish', boot_interface: MEDIA } })

    assert.ok(timeline?.isHome && timeline.isActive)
    const { driver, boot_interface, power_interface, management_interface } = await showNode(rack, 'rack-1')
    assert.deepEqual(
      { driver, boot_interface, power_interface, management_interface },
      { driver: 'redfish', boot_interface: MEDIA, power_interface: 'redfish', management_interface: 'redfish' },
    )
    const served = rack.appliance.lines.map(({ message }) => message)
    assert.ok(served.includes('deploy ISO served'))
    assert.ok(!served.includes('boot script served'), 'it asked for nothing on the network')
    const device = JSON.parse(await rack.baremetal('node', 'boot', 'device', 'show', 'rack-1', '-f', 'json'))
    assert.deepEqual(device, { boot_device: 'disk', persistent: true })
    const from = rack.appliance.lines.length
    await rack.baremetal('node', 'power', 'off', 'rack-1')
    await rack.appliance.waitFor(
      'the machine switched off',
      ({ message, power_state }) => message === 'power changed' && power_state === 'power off',
      { timeout_s: 120, from },
    )
    assert.equal(rack.hardware.machines[0]?.power, 'off')
  })
})
