/** A machine whose BMC speaks Redfish: sushy-tools' emulator in front of it, over https. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DEPLOY_DEADLINE_MS, deploy, foldersOf, ownImage, PREPARE_DEADLINE_MS, rackFor, showNode } from './racks.ts'

describe('a machine whose BMC speaks Redfish', () => {
  it('is enrolled, deployed and switched off by the real client', {
    timeout: PREPARE_DEADLINE_MS + DEPLOY_DEADLINE_MS,
  }, async (test) => {
    const image = await ownImage()
    await using rack = await rackFor(test, { images: foldersOf(image), redfish: true, resumes: true })

    const [timeline] = await deploy(rack, image, { node: { driver: 'redfish' } })

    assert.ok(timeline?.isHome && timeline.isActive)
    const { driver, power_interface, management_interface, power_state, provision_state } = await showNode(
      rack,
      'rack-1',
    )
    assert.deepEqual(
      { driver, power_interface, management_interface, power_state, provision_state },
      {
        driver: 'redfish',
        power_interface: 'redfish',
        management_interface: 'redfish',
        power_state: 'power on',
        provision_state: 'active',
      },
    )
    assert.deepEqual(JSON.parse(await rack.baremetal('node', 'boot', 'device', 'show', 'rack-1', '-f', 'json')), {
      boot_device: 'disk',
      persistent: true,
    })
    await rack.baremetal('node', 'power', 'off', 'rack-1', '--power-timeout', '60')
    await rack.appliance.waitFor(
      'rack-1 off',
      ({ message, power_state }) => message === 'power changed' && power_state === 'power off',
      { timeout_s: 60, from: 0 },
    )
    assert.equal(rack.hardware.machines[0]?.power, 'off')
  })
})
