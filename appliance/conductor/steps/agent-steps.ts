/** Learns what steps a freshly booted agent has, and plans the rest of the procedure with them. */
import { parseSteps } from '../../agent/commands.ts'
import { AgentFailure } from '../../errors.ts'
import { merged, nodeOf, type Parts } from '../parts/parts.ts'
import { indexOf, planOf } from '../procedures/plan.ts'
import { nodeForAgent, portsForAgent } from '../task/agent-words.ts'
import { whenNotBusy } from '../task/busy.ts'
import type { Way } from './way.ts'

/** They go into the node's record. */
const SIZE_LIMIT = 256 * 1024

/** @throws AgentFailure; InvalidParameterValue  a step was asked for that nobody has */
export async function learnAgentSteps(parts: Parts, uuid: string, way: Way): Promise<void> {
  const { agent, keys, kind } = way.procedure
  const node = nodeOf(parts, uuid)
  const params = { node: nodeForAgent(node), ports: portsForAgent(parts.store, uuid) }
  const signal = parts.jobs.signalOf(uuid)
  const ask = () => parts.agent.run(node, agent.list, params, { wait: true, signal })
  const { result } = await whenNotBusy(ask, signal, parts.config.agent.command_timeout * 1000)
  const { steps, version } = parseSteps(uuid, agent.listed, result)
  const size = JSON.stringify([steps, version]).length
  if (size > SIZE_LIMIT) {
    throw new AgentFailure(
      `The agent of node ${uuid} told of its ${kind} steps in ${size} characters: at most ${SIZE_LIMIT} are taken.`,
    )
  }
  await parts.store.nodes.update(uuid, (now) => ({
    driver_internal_info: merged(now.driver_internal_info, {
      [keys.offered]: steps,
      hardware_manager_version: version,
      [keys.plan]: way.plan(now, planOf(now).slice(0, indexOf(now) + 1), steps),
    }),
  }))
}
