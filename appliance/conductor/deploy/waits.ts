/** What happens while a node waits: its deadline passes, or its agent's command ends. Changes no state itself. */
import { AgentFailure, NotFound } from '../../errors.ts'
import type { Wait } from '../../nodes/node.ts'
import { nodeOf, type Parts } from '../parts.ts'
import { tellProgress } from './task.ts'
import { untilCommandEnds } from './watch.ts'

export type Waits = {
  /** The node waits now. */
  arm(uuid: string): void
  /** It no longer does. */
  disarm(uuid: string): void
  /** The machine is alive: its deadline counts from now. */
  touch(uuid: string): Promise<void>
  deadline(): string
}
export type WaitCalls = {
  onDue(uuid: string): void
  onCommandEnd(uuid: string): void
  /** No agent has called for [pxe] boot_retry_timeout. */
  onNoBoot(uuid: string): void
  /** The agent answers, but does not know the command. */
  onLost(uuid: string, error: AgentFailure): void
}

/** For ever. */
const NEVER = '9999-12-31T23:59:59.999Z'
/** setTimeout takes no more. */
const LONGEST_MS = 2 ** 31 - 1
/** A deadline is written anew when so much of it is used up: seldom enough for the disk. */
const USED_UP = 0.1

export const isOverdue = (wait: Wait | null): boolean => wait !== null && Date.parse(wait.deadline) <= Date.now()

export function createWaits(parts: Parts, calls: WaitCalls): Waits {
  const armed = new Map<string, AbortController>()
  const limit_s = parts.config.conductor.deploy_callback_timeout
  const deadline = () => (limit_s === 0 ? NEVER : new Date(Date.now() + limit_s * 1000).toISOString())

  const disarm = (uuid: string) => {
    armed.get(uuid)?.abort()
    armed.delete(uuid)
  }

  function watchDeadline(uuid: string, signal: AbortSignal): void {
    const check = () => {
      const wait = parts.store.nodes.get(uuid)?.wait
      if (!wait || signal.aborted) return
      const left_ms = Date.parse(wait.deadline) - Date.now()
      if (left_ms <= 0) return calls.onDue(uuid)
      const timer = setTimeout(check, Math.min(left_ms, LONGEST_MS))
      timer.unref()
      signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
    }
    check()
  }

  async function watchCommand(uuid: string, command_id: string, signal: AbortSignal): Promise<void> {
    try {
      const onProgress = tellProgress(parts, uuid)
      await untilCommandEnds(parts, { uuid, command_id, signal, onProgress, onAlive: () => touch(uuid) })
    } catch (error) {
      if (signal.aborted || error instanceof NotFound) return
      if (!(error instanceof AgentFailure)) throw error
      return calls.onLost(uuid, error)
    }
    calls.onCommandEnd(uuid)
  }

  async function touch(uuid: string): Promise<void> {
    const isStale = (wait: Wait | null): wait is Wait =>
      wait !== null && limit_s > 0 && Date.parse(wait.deadline) - Date.now() < limit_s * 1000 * (1 - USED_UP)
    if (!isStale(nodeOf(parts, uuid).wait)) return
    await parts.store.nodes.update(
      uuid,
      ({ wait }) => (isStale(wait) ? { wait: { ...wait, deadline: deadline() } } : {}),
      { quiet: true },
    )
  }

  return {
    arm(uuid) {
      disarm(uuid)
      const { wait, driver_internal_info } = nodeOf(parts, uuid)
      if (!wait) return
      const controller = new AbortController()
      armed.set(uuid, controller)
      const signal = AbortSignal.any([controller.signal, parts.jobs.signalOf(uuid)])
      watchDeadline(uuid, signal)
      const { boot_retry_timeout } = parts.config.pxe
      if (wait.for === 'agent-boot' && boot_retry_timeout) {
        const timer = setTimeout(() => calls.onNoBoot(uuid), Math.min(boot_retry_timeout * 1000, LONGEST_MS))
        timer.unref()
        signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
      }
      const { agent_command_id } = driver_internal_info
      if (wait.for === 'agent-command' && typeof agent_command_id === 'string') {
        parts.jobs.run('watch of a command', uuid, () => watchCommand(uuid, agent_command_id, signal))
      }
    },
    disarm,
    touch,
    deadline,
  }
}
