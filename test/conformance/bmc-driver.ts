/** What the conductor counts on from every hardware type. One suite, run by the test of each driver. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { BmcDriver } from '../../appliance/hardware/driver.ts'
import { INTERFACE_TYPES, type Node, type PowerState, type PowerTarget } from '../../appliance/records/kinds/node.ts'

/** A driver and a machine to try it on; made anew by each test file. */
export type BmcUnderTest = {
  driver: BmcDriver
  /** The record, as the driver would be given it. */
  node: () => Node
  /** Writes to the record what the conductor would. */
  record: (change: Partial<Node>) => void
}
const signal = () => AbortSignal.timeout(10_000)

export function testBmcDriver(make: () => BmcUnderTest): void {
  /** As the conductor does: ask, then write down. */
  const power = async ({ driver, node, record }: BmcUnderTest, target: PowerTarget, reached: PowerState) => {
    await driver.setPowerState(node(), target, signal())
    record({ power_state: reached })
    return driver.getPowerState(node(), signal())
  }

  describe('conformance to BmcDriver', () => {
    it('names the power and management interfaces that it puts on a node', () => {
      const { interfaces } = make().driver

      assert.ok(interfaces.power)
      assert.ok(interfaces.management)
      assert.deepEqual(
        Object.keys(interfaces).filter((type) => !(INTERFACE_TYPES as readonly string[]).includes(type)),
        [],
      )
    })

    it('explains each of its driver_info keys', () => {
      for (const help of Object.values(make().driver.properties)) assert.match(help, /\w.*\.$/)
    })

    it('finds nothing wrong with a complete record, and does not touch the machine to say so', () => {
      const { driver, node } = make()

      driver.validate(node())
    })

    it('tells a machine at rest to be off', async () => {
      const { driver, node } = make()

      assert.equal(await driver.getPowerState(node(), signal()), 'power off')
    })

    it('has done what was asked when setPowerState returns', async () => {
      const bmc = make()

      assert.equal(await power(bmc, 'power on', 'power on'), 'power on')
      assert.equal(await power(bmc, 'power on', 'power on'), 'power on')
      assert.equal(await power(bmc, 'rebooting', 'power on'), 'power on')
      assert.equal(await power(bmc, 'soft rebooting', 'power on'), 'power on')
      assert.equal(await power(bmc, 'soft power off', 'power off'), 'power off')
      assert.equal(await power(bmc, 'power on', 'power on'), 'power on')
      assert.equal(await power(bmc, 'power off', 'power off'), 'power off')
      assert.equal(await power(bmc, 'power off', 'power off'), 'power off')
    })

    it('boots from the network when told to', async () => {
      const { driver, node } = make()
      assert.ok(driver.supportedBootDevices.includes('pxe'))

      await driver.setBootDevice(node(), 'pxe', false, signal())

      assert.equal((await driver.getBootDevice(node(), signal())).boot_device, 'pxe')
    })

    it('takes the boot devices that a deploy sets', async () => {
      const { driver, node } = make()

      await driver.setBootDevice(node(), 'pxe', true, signal())
      await driver.setBootDevice(node(), 'disk', true, signal())
    })
  })
}
