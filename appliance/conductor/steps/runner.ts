/** Runs a node's steps, one after the other, from wait to wait. What must survive a restart is in its record before anything goes on. */

import { withPlainNumbers } from '@appliance/ground/exact-number'
import { ApplianceError, DeployFailure, messageOf, NotFound } from '../../errors.ts'
import type { SignOfLife, Step, StepResult, Task } from '../../plugin-api/index.ts'
import type { Node, Wait } from '../../records/kinds/node.ts'
import { nodeOf, type Parts, pluginOf, setInternal } from '../parts/parts.ts'
import { currentStepOf, indexOf, keyOf, type PlannedStep, planOf } from '../procedures/plan.ts'
import { isWaiting, underWay } from '../procedures/procedure.ts'
import { move } from '../states/transitions.ts'
import { bootAgent } from '../task/machine.ts'
import { createPrefetches, type Prefetches } from '../task/prefetch.ts'
import { makeTask } from '../task/task.ts'
import { learnAgentSteps } from './agent-steps.ts'
import { type Callback, hasAgent, isStillRunning, signFor, withCommands } from './signs.ts'
import { whileItProgresses } from './stall.ts'
import { afterSign, stepFor } from './step-for.ts'
import { finishStep, startStep } from './step-record.ts'
import { timeoutOf } from './timeout.ts'
import { isOverdue, limitOf, Waits } from './waits.ts'
import { ProcedureFailure, type Way } from './way.ts'

/** No step's fault. */
class ImageLost extends ProcedureFailure {}

type Waiting = Extract<StepResult, { wait: string }>

export class StepRunner {
  readonly #parts: Parts
  readonly #ways: readonly Way[]
  readonly #waits: Waits
  readonly #prefetches: Prefetches
  /** Nodes whose heartbeat is not taken up yet. */
  readonly #queued = new Set<string>()

  constructor(parts: Parts, ways: readonly Way[]) {
    this.#parts = parts
    this.#ways = ways
    this.#waits = new Waits(parts, {
      onDue: (uuid) => this.#inTurn(uuid, 'deadline', () => this.#expire(uuid)),
      onCommandEnd: (uuid) => this.#inTurn(uuid, 'end of a command', () => this.#resume(uuid)),
      onLost: (uuid, error) => this.#inTurn(uuid, 'lost command', () => this.#failStep(uuid, error)),
      onNoBoot: (uuid) => this.#inTurn(uuid, 'boot retry', () => this.#bootAgain(uuid)),
    })
    this.#prefetches = createPrefetches(parts, (uuid, error) => this.#loseImage(uuid, error))
  }

  /** The node is held, and has just begun. Resolves when it waits, has come to its end, or has failed. */
  async begin(uuid: string): Promise<void> {
    await this.#guarded(uuid, async () => {
      const way = this.#wayOf(uuid)
      if (await way.passes?.(uuid)) return
      const { keys } = way.procedure
      const opened = await this.#withTask(uuid, undefined, (task) => way.open(task))
      if ('wait' in opened) return this.#enterWait(uuid, opened)
      const plan = way.plan(nodeOf(this.#parts, uuid), [], undefined)
      await setInternal(this.#parts, uuid, { [keys.plan]: plan, [keys.index]: -1 })
      await this.#runFrom(uuid, 0)
    })
  }

  /** The same for one that was cut off, by a restart most likely. */
  async goOn(uuid: string): Promise<void> {
    const node = nodeOf(this.#parts, uuid)
    const planned = currentStepOf(node)
    if (!planned && !node.wait && !hasEnded(node)) return this.begin(uuid)
    await this.#guarded(uuid, async () => {
      if (node.wait) {
        await move(this.#parts, uuid, 'wait', { wait: node.wait })
        return this.waitOn(uuid)
      }
      if (!planned) return this.#runFrom(uuid, indexOf(node))
      if (typeof node.driver_internal_info.agent_command_id === 'string') {
        return this.#enterWait(uuid, { wait: 'agent-command', note: `the agent runs ${keyOf(planned)}` })
      }
      if (this.#stepFor(node, planned).again) return this.#runFrom(uuid, indexOf(node))
      const { again } = this.#wayOf(uuid).procedure.words
      throw new DeployFailure(`the appliance was restarted while it ran. ${again}`)
    })
  }

  /** What has failed and left something to be done. */
  failedWay({ driver_internal_info }: Node): Way | undefined {
    return this.#ways.find(({ procedure }) => driver_internal_info[procedure.keys.cleanup_pending] === true)
  }

  /** After a restart: the node waits still. */
  waitOn(uuid: string): void {
    this.#waits.arm(uuid)
    // Its heartbeat may have come just before the end.
    if (hasAgent(nodeOf(this.#parts, uuid))) this.heard(uuid)
  }

  /** A heartbeat came; taken up behind, in its turn. */
  heard(uuid: string, callback?: Callback): void {
    if (callback) {
      this.#inTurn(uuid, 'callback', () => this.#resume(uuid, callback))
      return
    }
    if (this.#queued.has(uuid)) return
    this.#queued.add(uuid)
    this.#inTurn(
      uuid,
      'heartbeat',
      () => this.#resume(uuid),
      () => this.#queued.delete(uuid),
    )
  }

  /** This box would not let the machine boot the agent, and will not when it asks again: to wait is of no use. */
  refused(uuid: string, reason: string): void {
    const isInVain = (node: Node | undefined) =>
      node && isWaiting(node) && node.wait?.for === 'agent-boot' && !hasAgent(node) && !node.maintenance
    if (!isInVain(this.#parts.store.nodes.get(uuid))) return
    this.#inTurn(uuid, 'refused boot', async () => {
      if (!isInVain(nodeOf(this.#parts, uuid))) return
      await this.#fail(uuid, new ProcedureFailure(`The machine cannot boot the deploy ramdisk. ${reason}`))
    })
  }

  /** Fails what has waited too long; each wait has a timer, too. */
  checkDeadlines(): void {
    for (const node of this.#parts.store.nodes.all()) {
      if (isWaiting(node) && isOverdue(node.wait)) {
        const { uuid } = node
        this.#inTurn(uuid, 'deadline', () => this.#expire(uuid))
      }
    }
  }

  /** Runs `work` behind, when the node is free; not at all when its deploy is over by then, or it is gone. */
  #inTurn(uuid: string, what: string, work: () => Promise<void>, onTurn?: () => void): void {
    const { jobs, holds } = this.#parts
    jobs.run(what, uuid, async () => {
      const signal = jobs.signalOf(uuid)
      const release = await holds.takeInTurn(uuid, signal).catch((error: unknown) => {
        if (signal.aborted || error instanceof NotFound) return undefined
        throw error
      })
      onTurn?.()
      if (!release) return
      try {
        await work()
      } catch (error) {
        if (!jobs.stopping.aborted) throw error
      } finally {
        await release()
      }
    })
  }

  async #guarded(uuid: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (this.#parts.jobs.stopping.aborted) return
      if (!(error instanceof ApplianceError)) this.#parts.log.error('step threw', { node: uuid, error })
      await this.#failStep(uuid, error)
    }
  }

  async #failStep(uuid: string, error: unknown): Promise<void> {
    const node = nodeOf(this.#parts, uuid)
    const way = this.#wayAt(node)
    if (!way) return
    if (error instanceof ProcedureFailure) return this.#fail(uuid, error)
    const planned = currentStepOf(node)
    const what = planned ? `${way.procedure.words.step} ${keyOf(planned)} failed: ` : way.failedBefore(node)
    await this.#fail(uuid, new DeployFailure(what + messageOf(error), { cause: error }))
  }

  /** At once: a step that runs is called off, a wait ended. */
  #loseImage(uuid: string, cause: unknown): void {
    const lost = new ImageLost(`The image of node ${uuid} cannot be had: ${messageOf(cause)}`, { cause })
    const node = this.#parts.store.nodes.get(uuid)
    if (node && underWay(node)?.states.running === node.provision_state) this.#parts.jobs.callOff(uuid, lost)
    // Also when no step could be called off: one had just ended.
    this.#inTurn(uuid, 'lost image', () => this.#fail(uuid, lost))
  }

  async #fail(uuid: string, error: DeployFailure): Promise<void> {
    this.#waits.disarm(uuid)
    await this.#wayAt(nodeOf(this.#parts, uuid))?.fail(uuid, error)
  }

  #wayAt(node: Node): Way | undefined {
    const procedure = underWay(node)
    return this.#ways.find((way) => way.procedure === procedure)
  }

  /** @throws Error  the node goes through nothing: a fault of ours */
  #wayOf(uuid: string): Way {
    const way = this.#wayAt(nodeOf(this.#parts, uuid))
    if (!way) throw new Error(`node ${uuid} goes through no steps`)
    return way
  }

  #stepFor(node: Node, planned: PlannedStep): Step {
    return stepFor(this.#wayOf(node.uuid), pluginOf(this.#parts, node), node, planned)
  }

  /** With a deadline from its last progress. */
  #withTask<T>(uuid: string, planned: PlannedStep | undefined, act: (task: Task) => Promise<T>): Promise<T> {
    const limit_s = limitOf(this.#parts, nodeOf(this.#parts, uuid))
    const what = planned ? keyOf(planned) : 'It'
    return whileItProgresses(what, limit_s, this.#parts.jobs.signalOf(uuid), (guard) =>
      act(
        makeTask(this.#parts, uuid, {
          ...guard,
          ...(planned ? { step: planned } : {}),
          prefetch: (request) => this.#prefetches.begin(request),
        }),
      ),
    )
  }

  async #runFrom(uuid: string, from: number): Promise<void> {
    for (let index = from; ; index++) {
      const node = nodeOf(this.#parts, uuid)
      const way = this.#wayOf(uuid)
      if (node[way.procedure.field].abort_after === true) return way.abort(uuid)
      const planned = planOf(node)[index]
      if (!planned) return way.finish(uuid)
      const step = this.#stepFor(await startStep(this.#parts, uuid, index, planned), planned)
      const result = await this.#withTask(uuid, planned, (task) => step.run(task, withPlainNumbers(planned.args)))
      if ('wait' in result) return this.#enterWait(uuid, result)
      finishStep(this.#parts, uuid)
    }
  }

  async #enterWait(uuid: string, { wait, note }: Waiting): Promise<void> {
    const kept: Wait = { for: wait, deadline: this.#waits.deadline(uuid), ...(note ? { note } : {}) }
    await move(this.#parts, uuid, 'wait', { wait: kept })
    this.#waits.arm(uuid)
  }

  /** The node is held. Goes on when what it waits for has come. */
  async #resume(uuid: string, callback?: Callback): Promise<void> {
    const node = nodeOf(this.#parts, uuid)
    const { wait } = node
    if (!isWaiting(node) || !wait || node.maintenance) return
    const sign = await signFor(this.#parts, node, wait, callback)
    if (!sign) return
    await this.#waits.touch(uuid)
    await this.#guarded(uuid, async () => {
      const planned = currentStepOf(node)
      if (planned && isStillRunning(sign) && !this.#stepFor(node, planned).resume) return
      this.#waits.disarm(uuid)
      // The wait stays in the record until the next step begins: cut off here, it is waited for again.
      await move(this.#parts, uuid, 'resume', (now) => ({ wait: now.wait }))
      const told = wait.for === 'agent-boot' ? await this.#meet(uuid, sign) : sign
      if (!planned) return this.#runFrom(uuid, 0)
      const { procedure } = this.#wayOf(uuid)
      const step = this.#stepFor(nodeOf(this.#parts, uuid), planned)
      const result = await this.#withTask(uuid, planned, async (task) =>
        step.resume ? step.resume(task, told) : afterSign(procedure, planned, told),
      )
      if ('wait' in result) return this.#enterWait(uuid, result)
      finishStep(this.#parts, uuid)
      await this.#runFrom(uuid, indexOf(nodeOf(this.#parts, uuid)) + 1)
    })
  }

  /** An agent that has just booted. */
  async #meet(uuid: string, sign: SignOfLife): Promise<SignOfLife> {
    await learnAgentSteps(this.#parts, uuid, this.#wayOf(uuid))
    return withCommands(this.#parts, uuid, sign)
  }

  /** @source Ironic [pxe] boot_retry_timeout: firmware now and then misses its network. The wait's deadline stays. */
  async #bootAgain(uuid: string): Promise<void> {
    const node = nodeOf(this.#parts, uuid)
    if (!isWaiting(node) || node.wait?.for !== 'agent-boot' || hasAgent(node)) return
    this.#parts.log.warn('machine has not booted the agent, and is started once more', { node: uuid })
    await bootAgent(this.#parts, uuid, this.#parts.jobs.signalOf(uuid)).catch((error: unknown) => {
      if (!(error instanceof ApplianceError)) throw error
      this.#parts.log.warn('machine could not be started once more', { node: uuid, reason: messageOf(error) })
    })
    this.#waits.arm(uuid)
  }

  async #expire(uuid: string): Promise<void> {
    const node = nodeOf(this.#parts, uuid)
    if (!isWaiting(node) || node.maintenance || !isOverdue(node.wait)) return
    await this.#fail(uuid, timeoutOf(node, this.#wayOf(uuid), limitOf(this.#parts, node)))
  }
}

/** Its steps are over, and its end was cut off. */
const hasEnded = (node: Node) => {
  const plan = underWay(node)?.keys.plan
  return plan !== undefined && node.driver_internal_info[plan] !== undefined && indexOf(node) >= planOf(node).length
}
