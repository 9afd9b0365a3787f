import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakePower } from '../../../../appliance/hardware/power/fake.ts'
import { interfaceTask } from '../../../../appliance/plugin-testing/interface-task.ts'
import { nodeOnPaper } from '../node-on-paper.ts'

describe('power interface fake', () => {
  it('is in whatever power state its record says', async () => {
    const node = nodeOnPaper({ power_state: 'power on' })

    assert.equal(await fakePower.getPowerState(interfaceTask(node)), 'power on')
  })
})
