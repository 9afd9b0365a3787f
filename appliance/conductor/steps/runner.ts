/**
 * Runs a node's steps, one after the other, from wait to wait. What must survive a restart is in its record before
 * anything goes on.
 */

import { withPlainNumbers } from '@appliance/ground/exact-number'
import { ApplianceError, DeployFailure, messageOf } from '../../errors.ts'
import type { Step, Task } from '../../plugin-api/index.ts'
import type { PlannedStep } from '../../records/kinds/internal-info.ts'
import type { InterfaceType, Node, Wait } from '../../records/kinds/node.ts'
import type { Parts } from '../parts/parts.ts'
import { callPlugin, checkedResult } from '../plugin/faults.ts'
import { switched } from '../plugin/plugin-of.ts'
import { currentStepOf, indexOf, keyOf, planOf } from '../procedures/plan.ts'
import {
  internalChange,
  internalOf,
  isRunning,
  isWaiting,
  stepOf,
  stepShown,
  underWay,
} from '../procedures/procedure.ts'
import { handleOf, type NodeHandle } from '../states/node-handle.ts'
import { createPrefetches, type Prefetches } from '../task/prefetch.ts'
import { makeTask } from '../task/task.ts'
import { learnAgentSteps } from './agent-steps.ts'
import { bootAgain } from './boot-again.ts'
import { failProcedure } from './failing.ts'
import { type Procedure, ProcedureFailure, type ProcedureParts, type ReportAwaited } from './procedure.ts'
import { type EngineResult, runReserved } from './reserved.ts'
import { awaitsBoot, type Callback, hasAgent, isStillRunning, type Sign, signFor, withCommands } from './signs.ts'
import { afterSign, isOfEngine, planFor, stepFor } from './sources.ts'
import { whileItProgresses } from './stall.ts'
import { finishStep, startStep } from './step-record.ts'
import { timeoutOf } from './timeout.ts'
import { isOverdue, Waits } from './waits.ts'
import { whenFree } from './when-free.ts'

/** The node's image cannot be had: no step's fault. */
class ImageLost extends ProcedureFailure {}

type Waiting = Extract<EngineResult, { wait: string }> | ReportAwaited

export type RunnerParts = ProcedureParts & Pick<Parts, 'reservations' | 'onProcedureEnd' | 'code'>

export class StepRunner {
  readonly #parts: RunnerParts
  readonly #procedures: readonly Procedure[]
  readonly #waits: Waits
  readonly #prefetches: Prefetches
  /** Nodes whose heartbeat waits for the node to be free. */
  readonly #queued = new Set<string>()

  constructor(parts: RunnerParts, procedures: readonly Procedure[]) {
    this.#parts = parts
    this.#procedures = procedures
    this.#waits = new Waits(parts, {
      onDue: (node) => this.#whenFree(node, 'deadline', () => this.#expire(node)),
      onCommandEnd: (node) => this.#whenFree(node, 'end of a command', () => this.#resume(node)),
      onLost: (node, error) => this.#whenFree(node, 'lost command', () => this.#failStep(node, error)),
      onNoBoot: (node) => this.#whenFree(node, 'boot retry', () => this.#bootAgain(node)),
      limit_s: (node) => this.#limit_s(node.record),
    })
    this.#prefetches = createPrefetches(parts, (uuid, error) => {
      if (parts.store.nodes.get(uuid)) this.#loseImage(handleOf(parts, uuid), error)
    })
  }

  /** The node is reserved, and has just begun. Resolves when it waits, has come to its end, or has failed. */
  async begin(node: NodeHandle): Promise<void> {
    this.#parts.code.forget(node.uuid)
    await this.#guarded(node, async () => {
      const procedure = this.#procedureOf(node)
      if (await procedure.passes?.(this.#parts, node)) return
      if (!procedure.needsNoPlugin) await this.#switch(node)
      const opened = await this.#withTask(node, undefined, (task) => procedure.open(this.#parts, node, task))
      if ('wait' in opened) return this.#enterWait(node, opened)
      const plan = planFor(this.#parts, procedure, node.record, { offered: undefined })
      await node.update({ internal: internalChange(procedure.kind, { plan, index: -1 }) })
      await this.#runFrom(node, 0)
    })
  }

  /** What the deploy interface chooses is in the node before anything is done by it. */
  async #switch(node: NodeHandle): Promise<void> {
    const change = switched(this.#parts, node.record)
    if (change) await node.update(change)
  }

  /** For a node whose procedure was cut off, by a restart most likely. */
  async goOn(node: NodeHandle): Promise<void> {
    const { record } = node
    const planned = currentStepOf(record)
    if (!planned && !record.wait && !hasEnded(record)) return this.begin(node)
    await this.#guarded(node, async () => {
      if (record.wait) {
        await node.move('wait', { wait: record.wait })
        return this.waitOn(node)
      }
      if (!planned) return this.#runFrom(node, indexOf(record))
      if (record.driver_internal_info.agent_command_id !== undefined) {
        return this.#enterWait(node, { wait: 'agent-command', note: `the agent runs ${keyOf(planned)}` })
      }
      if (this.#isOfEngine(node, planned) || this.#stepFor(node, planned).again)
        return this.#runFrom(node, indexOf(record))
      const { again } = this.#procedureOf(node).words
      throw new DeployFailure(`the appliance was restarted while it ran. ${again}`)
    })
  }

  /** The procedure that the node is in, running or waiting. */
  at(node: Node): Procedure | undefined {
    const kind = underWay(node)?.kind
    return this.#procedures.find((procedure) => procedure.kind === kind)
  }

  /** The procedure that has failed and left something to be done. */
  failed(node: Node): Procedure | undefined {
    return this.#procedures.find(({ kind }) => internalOf(node, kind, 'cleanup_pending'))
  }

  /** The node still waits after a restart. */
  waitOn(node: NodeHandle): void {
    this.#waits.arm(node)
    // Its heartbeat, or its report, may have come just before the end.
    if (hasAgent(node.record) || node.record.wait?.for === 'report') this.heard(node)
  }

  /** A heartbeat came. It is acted on in the background, as soon as the node is free. */
  heard(node: NodeHandle, callback?: Callback): void {
    if (callback) {
      this.#whenFree(node, 'callback', () => this.#resume(node, callback))
      return
    }
    const { uuid } = node
    if (this.#queued.has(uuid)) return
    this.#queued.add(uuid)
    this.#whenFree(
      node,
      'heartbeat',
      () => this.#resume(node),
      () => this.#queued.delete(uuid),
    )
  }

  /** The appliance refused to boot the agent on this machine, and would refuse again: waiting is of no use. */
  refused(node: NodeHandle, reason: string): void {
    const isInVain = ({ record }: NodeHandle) => isWaiting(record) && awaitsBoot(record) && !record.maintenance
    if (!isInVain(node)) return
    this.#whenFree(node, 'refused boot', async () => {
      if (!isInVain(node)) return
      await this.#fail(node, new ProcedureFailure(`The machine cannot boot the deploy ramdisk. ${reason}`))
    })
  }

  /** Fails each node that has waited too long. Each wait has a timer, too. */
  checkDeadlines(): void {
    for (const record of this.#parts.store.nodes.all()) {
      if (!isWaiting(record) || !isOverdue(record.wait)) continue
      const node = handleOf(this.#parts, record.uuid)
      this.#whenFree(node, 'deadline', () => this.#expire(node))
    }
  }

  /** Ends the procedure at once, or when the step under way is over. @returns the work that is left to do now */
  async abort(node: NodeHandle, procedure: Procedure): Promise<(() => Promise<void>) | undefined> {
    const { kind, words } = procedure
    if (!procedure.isAbortable(node.record)) {
      await node.update((now) => stepShown(kind, { ...stepOf(now), abort_after: true }))
      return undefined
    }
    return () => {
      const error = new DeployFailure(words.aborted(node.record))
      return failProcedure(this.#parts, procedure, node, { error, isAbort: true, event: 'abort' })
    }
  }

  /** Ends what a procedure has left that has failed already. @returns the work that is left to do now */
  async abortFailed(node: NodeHandle, procedure: Procedure): Promise<() => Promise<void>> {
    await node.move('abort', (now) => ({
      error: new DeployFailure(procedure.words.aborted(now)),
      internal: internalChange(procedure.kind, { cleanup_pending: true }),
    }))
    return () => procedure.endFailure(this.#parts, node)
  }

  #whenFree({ uuid }: NodeHandle, what: string, work: () => Promise<void>, onFree?: () => void): void {
    whenFree(this.#parts, uuid, { what, work, onFree })
  }

  async #guarded(node: NodeHandle, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (this.#parts.background.stopping.aborted) return
      if (!(error instanceof ApplianceError)) this.#parts.log.error('step threw', { node: node.uuid, error })
      await this.#failStep(node, error)
    }
  }

  async #failStep(node: NodeHandle, error: unknown): Promise<void> {
    const { record } = node
    const procedure = this.at(record)
    if (!procedure) return
    if (error instanceof ProcedureFailure) return this.#fail(node, error)
    const { words } = procedure
    const planned = currentStepOf(record)
    const what = planned ? `${words.step} ${keyOf(planned)} failed: ` : words.failedBefore(record)
    await this.#fail(node, new DeployFailure(what + messageOf(error), { cause: error }))
  }

  /** Calls off a step that runs, or ends the wait. */
  #loseImage(node: NodeHandle, cause: unknown): void {
    const lost = new ImageLost(`The image of node ${node.uuid} cannot be had: ${messageOf(cause)}`, { cause })
    if (isRunning(node.record)) this.#parts.background.callOff(node.uuid, lost)
    // A step that had just ended could not be called off.
    this.#whenFree(node, 'lost image', () => this.#fail(node, lost))
  }

  async #fail(node: NodeHandle, error: DeployFailure): Promise<void> {
    this.#waits.disarm(node.uuid)
    const procedure = this.at(node.record)
    if (procedure) await failProcedure(this.#parts, procedure, node, { error })
  }

  /** @throws Error  the node goes through nothing: a fault of ours */
  #procedureOf({ uuid, record }: NodeHandle): Procedure {
    const procedure = this.at(record)
    if (!procedure) throw new Error(`node ${uuid} is "${record.provision_state}", and is in no procedure`)
    return procedure
  }

  #stepFor(node: NodeHandle, planned: PlannedStep): Step {
    return stepFor(this.#parts, this.#procedureOf(node), node.record, planned)
  }

  #isOfEngine(node: NodeHandle, planned: PlannedStep): boolean {
    return isOfEngine(this.#parts, this.#procedureOf(node), node.record, planned)
  }

  /** The longest that the node may wait, in seconds; 0: for ever. */
  #limit_s(record: Node): number {
    const procedure = this.at(record)
    return procedure ? this.#parts.config.conductor[procedure.timeout] : 0
  }

  /** The deadline counts from the last progress that the task tells. */
  #withTask<T>(node: NodeHandle, planned: PlannedStep | undefined, act: (task: Task) => Promise<T>): Promise<T> {
    const who = this.#whoRuns(node, planned)
    const signal = this.#parts.background.signalOf(node.uuid)
    const fail = (fault: DeployFailure) => this.#endBy(node, fault, signal)
    return whileItProgresses(who, this.#limit_s(node.record), signal, (guard) =>
      callPlugin({ who, node: node.uuid, fail }, () =>
        act(
          makeTask(this.#parts, node, {
            ...guard,
            ...(planned ? { step: planned } : {}),
            ...(this.at(node.record)?.needsNoPlugin ? { withoutPlugin: true } : {}),
            prefetch: (request) => this.#prefetches.begin(request),
          }),
        ),
      ),
    )
  }

  /** As in `the deploy interface hello`. */
  #whoRuns({ record }: NodeHandle, planned: PlannedStep | undefined): string {
    const type = (planned?.interface ?? 'deploy') as InterfaceType
    return `the ${type} interface ${record.interfaces[type] ?? 'of the agent'}`
  }

  /** For what a plugin left behind; a procedure that has ended is not concerned. */
  #endBy(node: NodeHandle, fault: DeployFailure, operation: AbortSignal): void {
    if (operation.aborted || !this.#parts.store.nodes.get(node.uuid)) return
    if (isRunning(node.record)) this.#parts.background.callOff(node.uuid, fault)
    this.#whenFree(node, 'fault left behind', () => this.#failStep(node, fault))
  }

  async #runFrom(node: NodeHandle, from: number): Promise<void> {
    for (let index = from; ; index++) {
      const { record } = node
      const procedure = this.#procedureOf(node)
      if (stepOf(record).abort_after === true) {
        const error = new DeployFailure(procedure.words.aborted(record))
        return failProcedure(this.#parts, procedure, node, { error, isAbort: true })
      }
      const planned = planOf(record)[index]
      if (!planned) return this.#finish(node, procedure)
      await startStep(this.#parts, node, index, planned)
      const result = await this.#run(node, planned)
      if ('hold' in result) return void (await node.move('hold'))
      if ('wait' in result) return this.#enterWait(node, result)
      await finishStep(this.#parts, node)
    }
  }

  async #run(node: NodeHandle, planned: PlannedStep): Promise<EngineResult> {
    if (this.#isOfEngine(node, planned)) {
      return runReserved(this.#parts, node, planned, this.#parts.background.signalOf(node.uuid))
    }
    const step = this.#stepFor(node, planned)
    return this.#withTask(node, planned, async (task) =>
      checkedResult(this.#whoRuns(node, planned), await step.run(task, withPlainNumbers(planned.args))),
    )
  }

  /** The node was held, and is let go. */
  async unhold(node: NodeHandle): Promise<void> {
    await node.move('unhold', { wait: { for: 'time', deadline: new Date().toISOString(), note: 'let go' } })
    this.waitOn(node)
  }

  async #finish(node: NodeHandle, procedure: Procedure): Promise<void> {
    await procedure.finish(this.#parts, node)
    this.#parts.code.forget(node.uuid)
    this.#parts.background.callOff(node.uuid, new DeployFailure(procedure.words.ended))
    this.#parts.onProcedureEnd?.(procedure.kind, 'done')
  }

  async #enterWait(node: NodeHandle, { wait, note, ...limit }: Waiting): Promise<void> {
    const deadline = this.#waits.deadline(node, 'seconds' in limit ? limit.seconds : undefined)
    const entered: Wait = { for: wait, deadline, ...(note ? { note } : {}) }
    await node.move('wait', { wait: entered })
    this.#waits.arm(node)
    // Under fast track it is there already.
    if (wait === 'agent-boot' && hasAgent(node.record)) this.heard(node)
  }

  /** The node is reserved. Goes on when what it waits for has come. */
  async #resume(node: NodeHandle, callback?: Callback): Promise<void> {
    const { record } = node
    const { wait } = record
    if (!isWaiting(record) || !wait || record.maintenance) return
    const sign = await signFor(this.#parts, record, wait, callback)
    if (!sign) return
    await this.#waits.touch(node)
    await this.#guarded(node, async () => {
      const planned = currentStepOf(record)
      if (planned && isStillRunning(sign) && !this.#stepFor(node, planned).resume) return
      this.#waits.disarm(node.uuid)
      // The wait stays in the record until the next step begins: cut off here, it is waited for again.
      await node.move('resume', (now) => ({ wait: now.wait }))
      const procedure = this.#procedureOf(node)
      const told =
        wait.for === 'agent-boot' || wait.for === 'heartbeat' ? await this.#meet(node, procedure, sign) : sign
      if (!planned || told.from === 'report') return this.#runFrom(node, 0)
      if (wait.for === 'heartbeat') return this.#stepDone(node)
      const step = this.#stepFor(node, planned)
      const result = await this.#withTask(node, planned, async (task) =>
        step.resume
          ? checkedResult(this.#whoRuns(node, planned), await step.resume(task, told))
          : afterSign(procedure, planned, told),
      )
      if ('wait' in result) return this.#enterWait(node, result)
      await this.#stepDone(node)
    })
  }

  async #stepDone(node: NodeHandle): Promise<void> {
    await finishStep(this.#parts, node)
    await this.#runFrom(node, indexOf(node.record) + 1)
  }

  /** Learns what an agent that has just booted can do, and plans with that. */
  async #meet(node: NodeHandle, procedure: Procedure, sign: Sign): Promise<Sign> {
    if (!procedure.asksNoAgent) await learnAgentSteps(this.#parts, procedure, node)
    return withCommands(this.#parts, node, sign)
  }

  /** The wait's deadline stays. */
  async #bootAgain(node: NodeHandle): Promise<void> {
    if (await bootAgain(this.#parts, node)) this.#waits.arm(node)
  }

  async #expire(node: NodeHandle): Promise<void> {
    const { record } = node
    if (!isWaiting(record) || record.maintenance || !isOverdue(record.wait)) return
    if (record.wait?.for === 'time') {
      this.#waits.disarm(node.uuid)
      return this.#guarded(node, async () => {
        await node.move('resume', (now) => ({ wait: now.wait }))
        await this.#stepDone(node)
      })
    }
    await this.#fail(node, timeoutOf(record, this.#procedureOf(node), this.#limit_s(record)))
  }
}

/** All its steps are over, and the end of its procedure was cut off. */
const hasEnded = (node: Node) => {
  const kind = underWay(node)?.kind
  return kind !== undefined && internalOf(node, kind, 'plan') !== undefined && indexOf(node) >= planOf(node).length
}
