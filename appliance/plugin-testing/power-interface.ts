/**
 * What the conductor counts on from every power interface. One suite, run by the test of each implementation, ours or
 * a stranger's.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { PowerInterface, PowerState, PowerTarget } from '../plugin-api/interfaces.ts'
import type { Node } from '../records/kinds/node.ts'
import { testImplementation } from './implementation.ts'
import { interfaceTask } from './interface-task.ts'

/** An implementation and a machine to try it on, which is off; made anew by each test. */
export type PowerUnderTest = {
  power: PowerInterface
  /** The record, as the implementation would be given it. */
  node: () => Node
  /** Writes to the record what the conductor would. */
  record: (change: Partial<Node>) => void
}

export function testPowerInterface(make: () => PowerUnderTest): void {
  /** As the conductor does: ask, then write down. */
  const reach = async ({ power, node, record }: PowerUnderTest, target: PowerTarget, reached: PowerState) => {
    await power.setPowerState(interfaceTask(node()), target)
    record({ power_state: reached })
    return power.getPowerState(interfaceTask(node()))
  }

  describe('conformance to PowerInterface', () => {
    testImplementation(() => {
      const { power, node } = make()
      return { implementation: power, node }
    })

    it('tells a machine at rest to be off', async () => {
      const { power, node } = make()

      assert.equal(await power.getPowerState(interfaceTask(node())), 'power off')
    })

    it('has done what was asked when setPowerState returns', async () => {
      const bmc = make()

      assert.equal(await reach(bmc, 'power on', 'power on'), 'power on')
      assert.equal(await reach(bmc, 'power on', 'power on'), 'power on')
      assert.equal(await reach(bmc, 'rebooting', 'power on'), 'power on')
      assert.equal(await reach(bmc, 'soft rebooting', 'power on'), 'power on')
      assert.equal(await reach(bmc, 'soft power off', 'power off'), 'power off')
      assert.equal(await reach(bmc, 'power on', 'power on'), 'power on')
      assert.equal(await reach(bmc, 'power off', 'power off'), 'power off')
      assert.equal(await reach(bmc, 'power off', 'power off'), 'power off')
    })
  })
}
