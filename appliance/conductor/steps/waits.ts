/** What happens while a node waits: its deadline passes, or its agent's command ends. Changes no state itself. */
import { AgentFailure, NotFound } from '../../errors.ts'
import type { Node, Wait } from '../../records/kinds/node.ts'
import { nodeOf, type Parts } from '../parts/parts.ts'
import { underWay } from '../procedures/procedure.ts'
import { tellProgress } from '../task/task.ts'
import { untilCommandEnds } from './watch.ts'

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

/** The longest that the node may wait, in seconds; 0: for ever. */
export function limitOf({ config }: Pick<Parts, 'config'>, node: Node): number {
  const procedure = underWay(node)
  return procedure ? config.conductor[procedure.timeout] : 0
}

export const isOverdue = (wait: Wait | null): boolean => wait !== null && Date.parse(wait.deadline) <= Date.now()

export class Waits {
  readonly #parts: Parts
  readonly #calls: WaitCalls
  readonly #armed = new Map<string, AbortController>()

  constructor(parts: Parts, calls: WaitCalls) {
    this.#parts = parts
    this.#calls = calls
  }

  /** Of a wait that begins now. */
  deadline(uuid: string): string {
    const limit_ms = this.#limit_ms(uuid)
    return limit_ms === 0 ? NEVER : new Date(Date.now() + limit_ms).toISOString()
  }

  #limit_ms(uuid: string): number {
    return limitOf(this.#parts, nodeOf(this.#parts, uuid)) * 1000
  }

  /** The node waits now. */
  arm(uuid: string): void {
    this.disarm(uuid)
    const { wait, driver_internal_info } = nodeOf(this.#parts, uuid)
    if (!wait) return
    const controller = new AbortController()
    this.#armed.set(uuid, controller)
    const signal = AbortSignal.any([controller.signal, this.#parts.jobs.signalOf(uuid)])
    this.#watchDeadline(uuid, signal)
    const { boot_retry_timeout } = this.#parts.config.pxe
    if (wait.for === 'agent-boot' && boot_retry_timeout) {
      after(boot_retry_timeout * 1000, signal, () => this.#calls.onNoBoot(uuid))
    }
    const { agent_command_id } = driver_internal_info
    if (wait.for === 'agent-command' && typeof agent_command_id === 'string') {
      this.#parts.jobs.run('watch of a command', uuid, () => this.#watchCommand(uuid, agent_command_id, signal))
    }
  }

  /** It no longer does. */
  disarm(uuid: string): void {
    this.#armed.get(uuid)?.abort()
    this.#armed.delete(uuid)
  }

  /** The machine is alive: its deadline counts from now. */
  async touch(uuid: string): Promise<void> {
    const limit_ms = this.#limit_ms(uuid)
    const isStale = (wait: Wait | null): wait is Wait =>
      wait !== null && limit_ms > 0 && Date.parse(wait.deadline) - Date.now() < limit_ms * (1 - USED_UP)
    if (!isStale(nodeOf(this.#parts, uuid).wait)) return
    await this.#parts.store.nodes.update(
      uuid,
      ({ wait }) => (isStale(wait) ? { wait: { ...wait, deadline: this.deadline(uuid) } } : {}),
      { quiet: true },
    )
  }

  /** It may have moved by the time it is reached. */
  #watchDeadline(uuid: string, signal: AbortSignal): void {
    const wait = this.#parts.store.nodes.get(uuid)?.wait
    if (!wait) return
    const left_ms = Date.parse(wait.deadline) - Date.now()
    if (left_ms <= 0) this.#calls.onDue(uuid)
    else after(left_ms, signal, () => this.#watchDeadline(uuid, signal))
  }

  async #watchCommand(uuid: string, command_id: string, signal: AbortSignal): Promise<void> {
    try {
      const onProgress = tellProgress(this.#parts, uuid)
      await untilCommandEnds(this.#parts, { uuid, command_id, signal, onProgress, onAlive: () => this.touch(uuid) })
    } catch (error) {
      if (signal.aborted || error instanceof NotFound) return
      if (!(error instanceof AgentFailure)) throw error
      this.#calls.onLost(uuid, error)
      return
    }
    this.#calls.onCommandEnd(uuid)
  }
}

/** Keeps no process alive. */
function after(delay_ms: number, signal: AbortSignal, call: () => void): void {
  if (signal.aborted) return
  const timer = setTimeout(call, Math.min(delay_ms, LONGEST_MS))
  timer.unref()
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
}
