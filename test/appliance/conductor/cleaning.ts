/** A cleaning under way, for the tests of how it goes on. */
import type { TestContext } from 'node:test'
import type { ProvisionRequest } from '../../../appliance/conductor/procedures/request.ts'
import type { Node } from '../../../appliance/records/kinds/node.ts'
import { FakeAgent, type FakeAgentOptions, type OfferedStep } from './fake-agent.ts'
import { MAC, startTrial, type Trial, type TrialOptions } from './trial.ts'

export type Given = TrialOptions & { agent?: Partial<FakeAgentOptions>; fields?: Partial<Node> }
export type Cleaning = { trial: Trial; agent: FakeAgent; uuid: string }

const BY_ITSELF = '[conductor]\nautomated_clean = true\n'

/** A manageable node. */
export async function manageable(t: TestContext, given: Given = {}): Promise<Cleaning> {
  const trial = await startTrial(t, { ...given, ini: `${BY_ITSELF}${given.ini ?? ''}` })
  const agent = new FakeAgent({ mac: MAC, ...given.agent })
  t.after(() => agent.close())
  const fields = { provision_state: 'manageable', instance_info: {}, ...given.fields } as const
  const { uuid } = await trial.createNode(fields)
  return { trial, agent, uuid }
}

/** One that was provided, or asked for something else, and waits for its agent's first call. */
export async function cleaning(
  t: TestContext,
  given: Given = {},
  request: ProvisionRequest = { target: 'provide' },
): Promise<Cleaning> {
  const begun = await manageable(t, given)
  await begun.trial.conductor.provision(begun.uuid, request)
  await begun.trial.untilState(begun.uuid, 'clean wait')
  return begun
}

export const offer = (step: string, priority: number, more: Partial<OfferedStep> = {}): OfferedStep => ({
  ...{ interface: 'deploy', step, priority, reboot_requested: false },
  ...more,
})
