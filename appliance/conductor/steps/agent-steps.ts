/** Learns what deploy steps a freshly booted agent has, and plans the rest of the deploy with them. */
import { parseDeploySteps } from '../../agent/commands.ts'
import { AgentFailure } from '../../errors.ts'
import type { Step } from '../../plugin-api/index.ts'
import { merged, nodeOf, type Parts } from '../parts.ts'
import { nodeForAgent, portsForAgent } from '../task/agent-words.ts'
import { whenNotBusy } from '../task/busy.ts'
import { indexOf, planOf, replan, userSteps } from './plan.ts'

/** They go into the node's record. */
const SIZE_LIMIT = 256 * 1024

/** @throws AgentFailure; InvalidParameterValue  a step was asked for that nobody has */
export async function learnAgentSteps(parts: Parts, uuid: string, plugin: readonly Step[]): Promise<void> {
  const node = nodeOf(parts, uuid)
  const params = { node: nodeForAgent(node), ports: portsForAgent(parts.store, uuid) }
  const signal = parts.jobs.signalOf(uuid)
  const ask = () => parts.agent.run(node, 'deploy.get_deploy_steps', params, { wait: true, signal })
  const { result } = await whenNotBusy(ask, signal, parts.config.agent.command_timeout * 1000)
  const { steps, version } = parseDeploySteps(uuid, result)
  const size = JSON.stringify([steps, version]).length
  if (size > SIZE_LIMIT) {
    throw new AgentFailure(
      `The agent of node ${uuid} told of its deploy steps in ${size} characters: at most ${SIZE_LIMIT} are taken.`,
    )
  }
  await parts.store.nodes.update(uuid, (now) => ({
    driver_internal_info: merged(now.driver_internal_info, {
      agent_cached_deploy_steps: steps,
      hardware_manager_version: version,
      deploy_steps: replan(planOf(now).slice(0, indexOf(now) + 1), { plugin, offered: steps, user: userSteps(now) }),
    }),
  }))
}
