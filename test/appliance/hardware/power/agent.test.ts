/** A machine without a BMC: what its agent does, and what nobody can do for it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { agentPower } from '../../../../appliance/hardware/power/agent.ts'
import type { PowerTarget } from '../../../../appliance/plugin-api/interfaces.ts'
import { testImplementation } from '../../../../appliance/plugin-testing/implementation.ts'
import { interfaceTask } from '../../../../appliance/plugin-testing/interface-task.ts'
import { nodeOnPaper } from '../node-on-paper.ts'

const node = nodeOnPaper({ driver: 'manual-management', power_state: 'power off' })

function withAgent() {
  const given: string[] = []
  const run = async (name: string) => {
    given.push(name)
    return { id: '1', name, status: 'RUNNING' as const }
  }
  return { given, task: interfaceTask(node, { agent: { isAlive: true, run } }) }
}

describe('power interface agent', () => {
  testImplementation(() => ({ implementation: agentPower, node: () => node }))

  it('takes a machine whose agent calls to be on, and else believes the record', async () => {
    assert.equal(await agentPower.getPowerState(withAgent().task), 'power on')
    assert.equal(await agentPower.getPowerState(interfaceTask(node)), 'power off')
    assert.equal(agentPower.supportsPowerSync, false)
  })

  for (const [target, command] of [
    ['rebooting', 'standby.run_image'],
    ['soft rebooting', 'standby.run_image'],
    ['power off', 'standby.power_off'],
    ['soft power off', 'standby.power_off'],
  ] as const) {
    it(`has the agent do ${command} for "${target}"`, async () => {
      const { given, task } = withAgent()

      await agentPower.setPowerState(task, target)

      assert.deepEqual(given, [command])
    })

    it(`says so when no agent is there to do "${target}"`, async () => {
      await assert.rejects(agentPower.setPowerState(interfaceTask(node), target), {
        message: `Node ${node.uuid} has no BMC (power interface agent), and no agent calls from it that could do "${target}": do it by hand.`,
      })
    })
  }

  it('cannot switch a machine on, and says so', async () => {
    assert.ok(!agentPower.supportedPowerStates?.includes('power on'))
    await assert.rejects(agentPower.setPowerState(withAgent().task, 'power on' satisfies PowerTarget), {
      message: `Node ${node.uuid} has no BMC (power interface agent), so that "power on" is not to be had: press its button.`,
    })
  })
})
