/**
 * What the conductor counts on from every management interface. One suite, run by the test of each implementation,
 * ours or a stranger's.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { BootDevice, ManagementInterface } from '../plugin-api/interfaces.ts'
import type { Node } from '../records/kinds/node.ts'
import { testImplementation } from './implementation.ts'
import { interfaceTask } from './interface-task.ts'

export type ManagementUnderTest = {
  management: ManagementInterface
  node: () => Node
}

export function testManagementInterface(make: () => ManagementUnderTest): void {
  describe('conformance to ManagementInterface', () => {
    testImplementation(() => {
      const { management, node } = make()
      return { implementation: management, node }
    })

    it('boots from the network when told to', async () => {
      const { management, node } = make()
      assert.ok(management.supportedBootDevices.includes('pxe'))

      await management.setBootDevice(interfaceTask(node()), 'pxe', false)

      assert.equal((await management.getBootDevice(interfaceTask(node()))).boot_device, 'pxe')
    })

    it('takes each of the boot devices that a deploy sets, when it says that it can', async () => {
      const { management, node } = make()

      for (const device of ['pxe', 'disk'] as const) {
        if (management.supportedBootDevices.includes(device)) {
          await management.setBootDevice(interfaceTask(node()), device, true)
        }
      }
    })

    it('refuses a device that it does not support', async () => {
      const { management, node } = make()

      await assert.rejects(async () => management.setBootDevice(interfaceTask(node()), 'floppy' as BootDevice, false), {
        name: 'InvalidParameterValue',
        message: /^Invalid boot device floppy specified/,
      })
    })
  })
}
