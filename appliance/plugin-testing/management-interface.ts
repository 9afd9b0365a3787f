/**
 * What the conductor counts on from every management interface. One suite, run by the test of each implementation,
 * ours or a stranger's.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { BootDevice, IndicatorComponent, InterfaceTask, ManagementInterface } from '../plugin-api/interfaces.ts'
import type { Node } from '../records/kinds/node.ts'
import { testImplementation } from './implementation.ts'
import { interfaceTask } from './interface-task.ts'

export type ManagementUnderTest = {
  management: ManagementInterface
  node: () => Node
  /** Writes to the node what the conductor would. */
  record: (change: Partial<Node>) => void
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

    it('tells the boot mode and the Secure Boot that it was set to, where it can set them', async () => {
      const { management, node, record } = make()
      const kept = () => keptOf(node, record)
      const modes = (await management.getSupportedBootModes?.(kept())) ?? []

      for (const mode of modes) {
        await management.setBootMode?.(kept(), mode)
        if (management.getBootMode) assert.equal(await management.getBootMode(kept()), mode)
      }
      for (const isOn of management.setSecureBoot ? [true, false] : []) {
        await management.setSecureBoot?.(kept(), isOn)
        if (management.getSecureBoot) assert.equal(await management.getSecureBoot(kept()), isOn)
      }
      assert.equal(modes.length > 0, management.setBootMode !== undefined)
    })

    it('sets each indicator that is not read-only to each of its states', async () => {
      const { management, node, record } = make()
      const kept = () => keptOf(node, record)
      const indicators = Object.entries((await management.getIndicators?.(kept())) ?? {}).flatMap(
        ([component, named]) =>
          Object.entries(named).map(([name, told]) => ({ component: component as IndicatorComponent, name, ...told })),
      )

      for (const { component, name, readonly, states } of indicators) {
        assert.ok(states.length > 0, `${component}/${name}`)
        for (const state of readonly ? [] : states) {
          await management.setIndicatorState?.(kept(), { component, name }, state)
          assert.equal(await management.getIndicatorState?.(kept(), component, name), state)
        }
      }
    })

    it('has an image away again, and takes away what is not there, where it has virtual media', async () => {
      const { management, node, record } = make()
      const image = new URL('http://192.0.2.1/tools.iso')

      await management.attachVirtualMedia?.(keptOf(node, record), 'cdrom', image)
      for (let time = 0; time < 2; time++) await management.detachVirtualMedia?.(keptOf(node, record), ['cdrom'])
      await management.detachVirtualMedia?.(keptOf(node, record))
    })
  })
}

/** A task that keeps in the record what it is told to, as the conductor does. */
function keptOf(node: () => Node, record: (change: Partial<Node>) => void): InterfaceTask {
  return interfaceTask(node(), {
    remember: async (values) => record({ driver_internal_info: { ...node().driver_internal_info, ...values } }),
  })
}
