/** RAID that the agent on the machine makes. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { allows } from '../../../../appliance/hardware/enabled.ts'
import { agentRaid } from '../../../../appliance/hardware/raid/agent.ts'
import { HARDWARE_TYPES } from '../../../../appliance/hardware/types.ts'
import { interfaceTask } from '../../../../appliance/plugin-testing/interface-task.ts'
import { nodeOnPaper } from '../node-on-paper.ts'

describe('raid interface agent', () => {
  it('is allowed on every hardware type, which does not make it the default', () => {
    for (const [driver, row] of Object.entries(HARDWARE_TYPES)) {
      assert.ok(allows(driver, 'raid', 'agent', []), driver)
      assert.notEqual(row.raid[0], 'agent')
    }
  })

  it('leaves the steps to the agent, and needs nothing of the node', async () => {
    await agentRaid.validate(interfaceTask(nodeOnPaper()))

    assert.deepEqual(agentRaid.steps ?? [], [])
    assert.match(agentRaid.logicalDiskProperties.raid_level ?? '', /^RAID level: .*Required\.$/)
  })
})
