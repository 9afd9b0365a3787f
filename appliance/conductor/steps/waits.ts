/** What happens while a node waits: its deadline passes, or its agent's command ends. Changes no state itself. */
import { AgentFailure, NotFound } from '../../errors.ts'
import type { Wait } from '../../records/kinds/node.ts'
import type { Parts } from '../parts/parts.ts'
import type { NodeHandle } from '../states/node-handle.ts'
import { tellProgress } from '../task/task.ts'
import { untilCommandEnds } from './watch.ts'

export type WaitCalls = {
  onDue(node: NodeHandle): void
  onCommandEnd(node: NodeHandle): void
  /** No agent has called for [pxe] boot_retry_timeout. */
  onNoBoot(node: NodeHandle): void
  /** The agent answers, but does not know the command. */
  onLost(node: NodeHandle, error: AgentFailure): void
  /** The longest that the node may wait, in seconds; 0: for ever. */
  limit_s(node: NodeHandle): number
}

/** The deadline of a wait that has none. */
const NEVER = '9999-12-31T23:59:59.999Z'
/** setTimeout takes no more. */
const LONGEST_MS = 2 ** 31 - 1
/** A deadline is written anew when this share of it is used up: seldom enough for the disk. */
const USED_UP = 0.1

export const isOverdue = (wait: Wait | null): boolean => wait !== null && Date.parse(wait.deadline) <= Date.now()

type WaitParts = Pick<Parts, 'agent' | 'config' | 'background' | 'log'>

export class Waits {
  readonly #parts: WaitParts
  readonly #calls: WaitCalls
  readonly #armed = new Map<string, AbortController>()

  constructor(parts: WaitParts, calls: WaitCalls) {
    this.#parts = parts
    this.#calls = calls
  }

  /** The deadline of a wait that begins now. @param seconds  left out: as long as the procedure may wait */
  deadline(node: NodeHandle, seconds?: number): string {
    const limit_ms = (seconds ?? this.#calls.limit_s(node)) * 1000
    return limit_ms === 0 && seconds === undefined ? NEVER : new Date(Date.now() + limit_ms).toISOString()
  }

  /** Watches a node that waits from now on. */
  arm(node: NodeHandle): void {
    const { uuid, record } = node
    this.disarm(uuid)
    const { wait, driver_internal_info } = record
    if (!wait) return
    const controller = new AbortController()
    this.#armed.set(uuid, controller)
    const signal = AbortSignal.any([controller.signal, this.#parts.background.signalOf(uuid)])
    this.#watchDeadline(node, signal)
    const { boot_retry_timeout } = this.#parts.config.pxe
    if ((wait.for === 'agent-boot' || wait.for === 'report') && boot_retry_timeout) {
      after(boot_retry_timeout * 1000, signal, () => this.#calls.onNoBoot(node))
    }
    const { agent_command_id } = driver_internal_info
    if (wait.for === 'agent-command' && agent_command_id !== undefined) {
      this.#parts.background.run('watch of a command', uuid, () => this.#watchCommand(node, agent_command_id, signal))
    }
  }

  /** Ends the watch of a node. */
  disarm(uuid: string): void {
    this.#armed.get(uuid)?.abort()
    this.#armed.delete(uuid)
  }

  /** The machine is alive: its deadline counts from now. */
  async touch(node: NodeHandle): Promise<void> {
    const limit_ms = this.#calls.limit_s(node) * 1000
    const isStale = (wait: Wait | null): wait is Wait =>
      wait !== null && limit_ms > 0 && Date.parse(wait.deadline) - Date.now() < limit_ms * (1 - USED_UP)
    if (!isStale(node.record.wait)) return
    await node.update(({ wait }) => (isStale(wait) ? { wait: { ...wait, deadline: this.deadline(node) } } : {}), {
      quiet: true,
    })
  }

  /** The deadline may have moved by the time that it is reached. */
  #watchDeadline(node: NodeHandle, signal: AbortSignal): void {
    const wait = node.exists && node.record.wait
    if (!wait) return
    const left_ms = Date.parse(wait.deadline) - Date.now()
    if (left_ms <= 0) this.#calls.onDue(node)
    else after(left_ms, signal, () => this.#watchDeadline(node, signal))
  }

  async #watchCommand(node: NodeHandle, command_id: string, signal: AbortSignal): Promise<void> {
    try {
      const onProgress = tellProgress(this.#parts, node.uuid)
      await untilCommandEnds(this.#parts, { node, command_id, signal, onProgress, onAlive: () => this.touch(node) })
    } catch (error) {
      if (signal.aborted || error instanceof NotFound) return
      if (!(error instanceof AgentFailure)) throw error
      this.#calls.onLost(node, error)
      return
    }
    this.#calls.onCommandEnd(node)
  }
}

/** The timer does not keep the process alive. */
function after(delay_ms: number, signal: AbortSignal, call: () => void): void {
  if (signal.aborted) return
  const timer = setTimeout(call, Math.min(delay_ms, LONGEST_MS))
  timer.unref()
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
}
