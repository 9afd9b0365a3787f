/** Asks an agent how its command goes, so that its end is seen at once. Decides nothing about it. */
import { setTimeout as pause } from 'node:timers/promises'
import { AgentUnreachable } from '../../agent/client.ts'
import type { Command } from '../../agent/commands.ts'
import { AgentFailure, messageOf } from '../../errors.ts'
import type { Progress } from '../../plugin-api/index.ts'
import type { Parts } from '../parts/parts.ts'
import type { NodeHandle } from '../states/node-handle.ts'

/** The first look comes soon, because short commands end soon. */
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 1000
/** A stock agent tells no progress, shows each question on its screen, and heartbeats when its command has ended. */
const SILENT_PAUSE_MS = 5000
const UNREACHABLE_PAUSE_MS = 5000
/** The watch ends after so many answers in a row that make no sense, or do not know the command. */
const NONSENSE_LIMIT = 5

export type Watch = {
  node: NodeHandle
  command_id: string
  /** Aborted when the node no longer waits for this. */
  signal: AbortSignal
  onProgress(progress: Progress): void
  /** The agent answers, and works on the command. */
  onAlive(): Promise<void>
}

/** @returns when the command has ended. @throws AgentFailure  the agent no longer knows it, or makes no sense */
export async function untilCommandEnds(parts: Pick<Parts, 'agent' | 'log'>, watch: Watch): Promise<void> {
  let nonsense = 0
  let isReached = true
  let tellsProgress = false
  for (
    let pause_ms = FIRST_PAUSE_MS;
    ;
    pause_ms = Math.min(pause_ms * 1.5, tellsProgress ? LONGEST_PAUSE_MS : SILENT_PAUSE_MS)
  ) {
    await pause(isReached ? pause_ms : UNREACHABLE_PAUSE_MS, undefined, { signal: watch.signal })
    try {
      const command = await look(parts, watch)
      nonsense = 0
      isReached = true
      if (command.status !== 'RUNNING') return
      tellsProgress = command.progress !== undefined
      if (command.progress) watch.onProgress(command.progress)
      await watch.onAlive()
    } catch (error) {
      watch.signal.throwIfAborted()
      if (!(error instanceof AgentFailure)) throw error
      isReached = !(error instanceof AgentUnreachable)
      parts.log.debug('agent does not tell how its command goes', { node: watch.node.uuid, reason: messageOf(error) })
      // A silent agent may come back. The wait's deadline ends the waiting.
      if (isReached && ++nonsense >= NONSENSE_LIMIT) throw error
    }
  }
}

async function look({ agent }: Pick<Parts, 'agent'>, { node, command_id, signal }: Watch): Promise<Command> {
  const commands = await agent.commands(node.record, signal, 1)
  const command = commands.find(({ id }) => id === command_id)
  if (command) return command
  throw new AgentFailure(
    `The agent of node ${node.uuid} no longer knows the command ${command_id} that it was given: it was started anew meanwhile. Look at the machine's screen.`,
  )
}
