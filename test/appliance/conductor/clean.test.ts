import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Node } from '../../../appliance/nodes/node.ts'
import { FakeAgent, type FakeAgentOptions, stepFails } from './fake-agent.ts'
import { bmcByHand, MAC, startTrial, type Trial, type TrialOptions } from './trial.ts'

type Given = TrialOptions & { agent?: Partial<FakeAgentOptions>; fields?: Partial<Node> }
type Cleaning = { trial: Trial; agent: FakeAgent; uuid: string }

/** A node that was provided, and waits for its agent's first call. */
async function cleaning(t: TestContext, given: Given = {}, request: object = { target: 'provide' }): Promise<Cleaning> {
  const trial = await startTrial(t, { ...given, ini: `[conductor]\nautomated_clean = true\n${given.ini ?? ''}` })
  const agent = new FakeAgent({ mac: MAC, ...given.agent })
  t.after(() => agent.close())
  const { uuid } = await trial.createNode({ provision_state: 'manageable', instance_info: {}, ...given.fields })
  await trial.conductor.provision(uuid, request as never)
  await trial.untilState(uuid, 'clean wait')
  return { trial, agent, uuid }
}

describe('automated cleaning', () => {
  it('boots the agent, has it erase the metadata, and switches the machine off', async (t) => {
    const { hand, driver } = bmcByHand()

    const { trial, agent, uuid } = await cleaning(t, { bmc: driver })
    const waiting = trial.node(uuid)
    const boot = trial.conductor.machineBootOf(MAC)
    await agent.boot(trial.conductor)
    const node = await trial.untilState(uuid, 'available')

    assert.deepEqual([waiting.target_provision_state, waiting.clean_step], ['available', {}])
    assert.equal(boot.kind, 'agent')
    assert.deepEqual(agent.given, ['get_clean_steps', 'erase_devices_metadata'])
    assert.deepEqual(trial.steps(), ['deploy.erase_devices_metadata'])
    assert.deepEqual(trial.states(), ['cleaning', 'clean wait', 'cleaning', 'clean wait', 'cleaning', 'available'])
    assert.deepEqual(hand.switched, ['power on', 'power off'])
    assert.deepEqual([node.clean_step, node.last_error, node.wait, node.maintenance], [{}, null, null, false])
    assert.deepEqual(Object.keys(node.driver_internal_info).sort(), ['agent_last_heartbeat', 'agent_version'])
  })

  it('fails with the reason of a step, and keeps the machine from being used', async (t) => {
    const onStep = async () => Promise.reject(stepFails('"/dev/vda": EIO'))

    const { trial, agent, uuid } = await cleaning(t, { agent: { onStep } })
    await agent.boot(trial.conductor)
    const node = await trial.untilState(uuid, 'clean failed')

    const reason = 'Clean step deploy.erase_devices_metadata failed: the agent returned an error: "/dev/vda": EIO'
    assert.equal(node.last_error, reason)
    assert.deepEqual([node.maintenance, node.maintenance_reason, node.fault], [true, reason, 'clean failure'])
    assert.equal(node.power_state, 'power on')
  })
})
