/** Learns what steps a freshly booted agent has, and plans the rest of the procedure with them. */
import { parseSteps } from '../../agent/commands.ts'
import { AgentFailure } from '../../errors.ts'
import { indexOf, planOf } from '../procedures/plan.ts'
import { internalChange, namesOf } from '../procedures/procedure.ts'
import type { NodeHandle } from '../states/node-handle.ts'
import { nodeForAgent, portsForAgent } from '../task/agent-words.ts'
import { whenNotBusy } from '../task/busy.ts'
import type { Procedure, ProcedureParts } from './procedure.ts'
import { planFor } from './sources.ts'

/** Characters of JSON: the steps are stored in the node's record. */
const SIZE_LIMIT = 256 * 1024

/** @throws AgentFailure; InvalidParameterValue  a step was asked for that nobody has */
export async function learnAgentSteps(parts: ProcedureParts, procedure: Procedure, node: NodeHandle): Promise<void> {
  const { agent, kind } = namesOf(procedure.kind)
  const { uuid, record } = node
  const params = { node: nodeForAgent(record), ports: portsForAgent(parts.store, uuid) }
  const signal = parts.background.signalOf(uuid)
  const ask = () => parts.agent.run(record, agent.list, params, { wait: true, signal })
  const { result } = await whenNotBusy(ask, signal, parts.config.agent.command_timeout * 1000)
  const { steps, version } = parseSteps(uuid, agent.listed, result)
  const size = JSON.stringify([steps, version]).length
  if (size > SIZE_LIMIT) {
    throw new AgentFailure(
      `The agent of node ${uuid} told of its ${kind} steps in ${size} characters: at most ${SIZE_LIMIT} are taken.`,
    )
  }
  await node.update((now) => ({
    internal: {
      hardware_manager_version: version,
      ...internalChange(kind, {
        offered: steps,
        plan: planFor(parts, procedure, now, { offered: steps, done: planOf(now).slice(0, indexOf(now) + 1) }),
      }),
    },
  }))
}
