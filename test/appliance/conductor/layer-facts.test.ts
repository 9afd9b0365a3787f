/** What a plugin is told of the layers of its ramdisk. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FakeAgent } from './fake-agent.ts'
import { DONE, deployed, pluginOf } from './odd-plugin.ts'
import { MAC } from './trial.ts'

describe('the agent of a task', () => {
  it('tells a plugin what the layers of its ramdisk told', async (t) => {
    const facts: unknown[] = []
    const plugin = pluginOf({
      usesAgent: true,
      deploySteps: (kit) => [
        ...kit.agentFlow(),
        {
          step: 'look',
          priority: 80,
          async run(task) {
            facts.push(task.agent.facts)
            return DONE
          },
        },
      ],
    })
    const agent = new FakeAgent({ mac: MAC })
    t.after(() => agent.close())
    const { trial, uuid } = await deployed(t, plugin)
    await trial.untilState(uuid, 'wait call-back')

    await agent.lookUp(trial.conductor)
    await agent.beat(trial.conductor, { layer_facts: { ssh: { ssh_host_keys: ['ssh-ed25519 AAAA'] } } })
    await trial.untilState(uuid, 'active')

    assert.deepEqual(facts, [{ ssh: { ssh_host_keys: ['ssh-ed25519 AAAA'] } }])
  })
})
