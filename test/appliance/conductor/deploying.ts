/** A deploy under way, for the tests of how it goes on. */
import type { TestContext } from 'node:test'
import type { Node } from '../../../appliance/records/kinds/node.ts'
import { FakeAgent, type FakeAgentOptions } from './fake-agent.ts'
import { INSTANCE, MAC, startTrial, type Trial, type TrialOptions } from './trial.ts'

export type Deploying = { trial: Trial; agent: FakeAgent; uuid: string }

/** A node that waits for its agent's first call. */
export async function deploying(
  t: TestContext,
  options: TrialOptions & {
    agent?: Partial<FakeAgentOptions>
    deploy_steps?: object[]
    instance_info?: object
    fields?: Partial<Node>
  } = {},
): Promise<Deploying> {
  const trial = await startTrial(t, options)
  const agent = new FakeAgent({ mac: MAC, ...options.agent })
  t.after(() => agent.close())
  const { uuid } = await trial.createNode({
    instance_info: { ...INSTANCE, ...options.instance_info },
    ...options.fields,
  })
  await trial.conductor.provision(uuid, {
    target: 'active',
    ...(options.deploy_steps ? { deploy_steps: options.deploy_steps as never } : {}),
  })
  await trial.untilState(uuid, 'wait call-back')
  return { trial, agent, uuid }
}
