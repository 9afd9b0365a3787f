/** What a heartbeat means to a node that waits: asked of the agent, as the plugin's step will see it. */
import type { Command } from '../../agent/commands.ts'
import { AgentFailure, messageOf } from '../../errors.ts'
import type { SignOfLife } from '../../plugin-api/index.ts'
import type { Node, Wait } from '../../records/kinds/node.ts'
import type { Parts } from '../parts/parts.ts'
import type { NodeHandle } from '../states/node-handle.ts'

/** An installer reports this by itself. */
export type Callback = { status: 'start' | 'end' | 'error'; message?: string }

/** What a node has waited for: a sign of a step, or the report of an agent. */
export type Sign = SignOfLife | { from: 'report' }

/** The machine is to boot the agent, and none has called yet. */
export const awaitsBoot = (node: Node): boolean =>
  node.wait?.for === 'report' || (node.wait?.for === 'agent-boot' && !hasAgent(node))

export const hasAgent = ({ driver_internal_info: { agent_url } }: Node): boolean =>
  agent_url !== undefined && agent_url !== ''
export const isStillRunning = (sign: Sign): boolean => sign.from === 'agent' && sign.command?.status === 'RUNNING'

/**
 * @returns undefined: the node waits for something else, or the agent cannot be asked now and will be asked again soon
 */
export async function signFor(
  { agent, background, log, inspections }: Pick<Parts, 'agent' | 'background' | 'log' | 'inspections'>,
  node: Node,
  wait: Wait,
  callback: Callback | undefined,
): Promise<Sign | undefined> {
  if (wait.for === 'report') return (await inspections.hasReport(node.uuid)) ? { from: 'report' } : undefined
  if (wait.for === 'callback') return callback && { from: 'callback', ...callback }
  if (!hasAgent(node)) return undefined
  if (wait.for === 'time') return undefined
  if (wait.for === 'agent-boot' || wait.for === 'heartbeat')
    return { from: 'agent', waited: 'agent-boot', commands: [] }
  const { agent_command_id } = node.driver_internal_info
  let commands: Command[]
  try {
    commands = await agent.commands(node, background.signalOf(node.uuid), 1)
  } catch (error) {
    if (!(error instanceof AgentFailure)) throw error
    log.debug('agent does not tell its commands', { node: node.uuid, reason: messageOf(error) })
    return undefined
  }
  const command = commands.find(({ id }) => id === agent_command_id)
  return command && { from: 'agent', waited: 'agent-command', commands, command }
}

/** @throws AgentFailure */
export async function withCommands(
  { agent, background }: Pick<Parts, 'agent' | 'background'>,
  { uuid, record }: NodeHandle,
  sign: Sign,
): Promise<Sign> {
  if (sign.from !== 'agent') return sign
  return { ...sign, commands: await agent.commands(record, background.signalOf(uuid)) }
}
