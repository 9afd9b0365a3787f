/** What an operator reads when a node waited too long: for what, and where to look. */
import { DeployFailure } from '../../errors.ts'
import type { Node } from '../../records/kinds/node.ts'
import { currentStepOf, keyOf } from '../procedures/plan.ts'
import type { Procedure } from './procedure.ts'

export function timeoutOf(node: Node, { words }: Procedure, limit_s: number): DeployFailure {
  const planned = currentStepOf(node)
  return new DeployFailure(
    words.timeout(node, {
      step: planned ? keyOf(planned) : 'none',
      limit_s,
      missing: whatIsMissing(node) + whoWasRefused(node, limit_s),
    }),
  )
}

/** The agent itself, where a check locks it out. What was before this wait is of no concern. */
function whoWasRefused({ wait, driver_internal_info: { refused_strangers: refused } }: Node, limit_s: number): string {
  if (!wait || !refused || wait.for === 'callback' || wait.for === 'agent-command') return ''
  const began = Date.parse(wait.deadline) - limit_s * 1000
  if (!(Date.parse(refused.at) >= began)) return ''
  return ` Meanwhile somebody was refused who asked in its name: ${refused.last}`
}

function whatIsMissing(node: Node): string {
  if (node.wait?.for === 'report') {
    return "the agent did not report what it found. Look at the machine's screen, and whether it boots from the network."
  }
  const { agent_secret_token, agent_last_heartbeat } = node.driver_internal_info
  if (node.wait?.for === 'callback') return 'the installer on the machine did not report. Look at its screen.'
  if (node.wait?.for === 'agent-command') {
    return `the agent does not tell any more how its command goes (last heartbeat ${agent_last_heartbeat ?? 'never'}). Look at the machine's screen.`
  }
  if (agent_secret_token === undefined) {
    return "no agent has called. Look at the machine's screen, whether it boots from the network, and whether its network card is a port of this node with pxe_enabled."
  }
  return 'its agent has looked itself up, and sent no heartbeat. Look at its screen, and whether it reaches this API.'
}
