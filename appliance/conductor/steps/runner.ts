/** Runs a node's deploy steps, one after the other, from wait to wait. What must survive a restart is in its record before anything goes on. */
import { ApplianceError, DeployFailure, messageOf, NotFound } from '../../errors.ts'
import type { Node, Wait } from '../../nodes/node.ts'
import type { Kit, SignOfLife, Step, StepResult, Task } from '../../plugin-api/index.ts'
import { createKit } from '../deploy/agent-flow.ts'
import { failDeploy, finishDeploy } from '../deploy/end.ts'
import { createPrefetches, type Prefetches } from '../deploy/prefetch.ts'
import { nodeOf, type Parts, pluginOf, setInternal } from '../parts.ts'
import { bootAgent } from '../task/machine.ts'
import { makeTask } from '../task/task.ts'
import { move } from '../transitions.ts'
import { learnAgentSteps } from './agent-steps.ts'
import { currentStepOf, indexOf, keyOf, type PlannedStep, planOf, planSteps, userSteps } from './plan.ts'
import { type Callback, hasAgent, isStillRunning, signFor, withCommands } from './signs.ts'
import { whileItProgresses } from './stall.ts'
import { afterSign, stepFor } from './step-for.ts'
import { finishStep, startStep } from './step-record.ts'
import { timeoutOf } from './timeout.ts'
import { isOverdue, Waits } from './waits.ts'

/** No step's fault. */
class ImageLost extends DeployFailure {}

type Waiting = Extract<StepResult, { wait: string }>

export class StepRunner {
  readonly #parts: Parts
  readonly #kit: Kit
  readonly #waits: Waits
  readonly #prefetches: Prefetches
  /** Nodes whose heartbeat is not taken up yet. */
  readonly #queued = new Set<string>()

  constructor(parts: Parts) {
    this.#parts = parts
    this.#kit = createKit(parts)
    this.#waits = new Waits(parts, {
      onDue: (uuid) => this.#inTurn(uuid, 'deadline', () => this.#expire(uuid)),
      onCommandEnd: (uuid) => this.#inTurn(uuid, 'end of a command', () => this.#resume(uuid)),
      onLost: (uuid, error) => this.#inTurn(uuid, 'lost command', () => this.#failStep(uuid, error)),
      onNoBoot: (uuid) => this.#inTurn(uuid, 'boot retry', () => this.#bootAgain(uuid)),
    })
    this.#prefetches = createPrefetches(parts, (uuid, error) => this.#loseImage(uuid, error))
  }

  /** The node is held and `deploying`. Resolves when it waits, is active, or has failed. */
  async begin(uuid: string): Promise<void> {
    await this.#guarded(uuid, async () => {
      const node = nodeOf(this.#parts, uuid)
      const plugin = pluginOf(this.#parts, node)
      await this.#withTask(uuid, undefined, async (task) => plugin.prepare?.(task))
      const sources = { plugin: plugin.deploySteps(this.#kit), offered: undefined, user: userSteps(node) }
      await setInternal(this.#parts, uuid, { deploy_steps: planSteps(sources), deploy_step_index: -1 })
      await this.#runFrom(uuid, 0)
    })
  }

  /** The same for one that was cut off, by a restart most likely. */
  async goOn(uuid: string): Promise<void> {
    const node = nodeOf(this.#parts, uuid)
    const planned = currentStepOf(node)
    if (!planned) return this.begin(uuid)
    await this.#guarded(uuid, async () => {
      if (node.wait) {
        await move(this.#parts, uuid, 'wait', { wait: node.wait })
        return this.waitOn(uuid)
      }
      if (typeof node.driver_internal_info.agent_command_id === 'string') {
        return this.#enterWait(uuid, { wait: 'agent-command', note: `the agent runs ${keyOf(planned)}` })
      }
      if (this.#stepFor(node, planned).again) return this.#runFrom(uuid, indexOf(node))
      throw new DeployFailure('the appliance was restarted while it ran. Deploy again.')
    })
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

  /** Fails what has waited too long; each wait has a timer, too. */
  checkDeadlines(): void {
    for (const { uuid, provision_state, wait } of this.#parts.store.nodes.all()) {
      if (provision_state === 'wait call-back' && isOverdue(wait)) {
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
      if (!(error instanceof ApplianceError)) this.#parts.log.error('deploy threw', { node: uuid, error })
      await this.#failStep(uuid, error)
    }
  }

  async #failStep(uuid: string, error: unknown): Promise<void> {
    if (error instanceof ImageLost) return this.#fail(uuid, error)
    const planned = currentStepOf(nodeOf(this.#parts, uuid))
    const what = planned ? `Deploy step ${keyOf(planned)} failed: ` : 'Preparing the deploy failed: '
    await this.#fail(uuid, new DeployFailure(what + messageOf(error), { cause: error }))
  }

  /** At once: a step that runs is called off, a wait ended. */
  #loseImage(uuid: string, cause: unknown): void {
    const lost = new ImageLost(`The image of node ${uuid} cannot be had: ${messageOf(cause)}`, { cause })
    if (this.#parts.store.nodes.get(uuid)?.provision_state === 'deploying') this.#parts.jobs.callOff(uuid, lost)
    // Also when no step could be called off: one had just ended.
    this.#inTurn(uuid, 'lost image', () => this.#fail(uuid, lost))
  }

  async #fail(uuid: string, error: DeployFailure): Promise<void> {
    this.#waits.disarm(uuid)
    await failDeploy(this.#parts, uuid, error)
  }

  #stepFor(node: Node, planned: PlannedStep): Step {
    return stepFor(pluginOf(this.#parts, node), this.#kit, node, planned)
  }

  /** With a deadline from its last progress. */
  #withTask<T>(uuid: string, planned: PlannedStep | undefined, act: (task: Task) => Promise<T>): Promise<T> {
    const { config, jobs } = this.#parts
    const what = planned ? keyOf(planned) : 'It'
    return whileItProgresses(what, config.conductor.deploy_callback_timeout, jobs.signalOf(uuid), (guard) =>
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
      const planned = planOf(nodeOf(this.#parts, uuid))[index]
      if (!planned) return finishDeploy(this.#parts, uuid)
      const step = this.#stepFor(await startStep(this.#parts, uuid, index, planned), planned)
      const result = await this.#withTask(uuid, planned, (task) => step.run(task, planned.args))
      if ('wait' in result) return this.#enterWait(uuid, result)
      finishStep(this.#parts, uuid)
    }
  }

  async #enterWait(uuid: string, { wait, note }: Waiting): Promise<void> {
    const kept: Wait = { for: wait, deadline: this.#waits.deadline(), ...(note ? { note } : {}) }
    await move(this.#parts, uuid, 'wait', { wait: kept })
    this.#waits.arm(uuid)
  }

  /** The node is held. Goes on when what it waits for has come. */
  async #resume(uuid: string, callback?: Callback): Promise<void> {
    const node = nodeOf(this.#parts, uuid)
    const { wait } = node
    const planned = currentStepOf(node)
    if (node.provision_state !== 'wait call-back' || !wait || !planned || node.maintenance) return
    const sign = await signFor(this.#parts, node, wait, callback)
    if (!sign) return
    await this.#waits.touch(uuid)
    await this.#guarded(uuid, async () => {
      if (isStillRunning(sign) && !this.#stepFor(node, planned).resume) return
      this.#waits.disarm(uuid)
      // The wait stays in the record until the next step begins: cut off here, it is waited for again.
      await move(this.#parts, uuid, 'resume', (now) => ({ wait: now.wait }))
      const told = wait.for === 'agent-boot' ? await this.#meet(uuid, sign) : sign
      const step = this.#stepFor(nodeOf(this.#parts, uuid), planned)
      const result = await this.#withTask(uuid, planned, async (task) =>
        step.resume ? step.resume(task, told) : afterSign(planned, told),
      )
      if ('wait' in result) return this.#enterWait(uuid, result)
      finishStep(this.#parts, uuid)
      await this.#runFrom(uuid, indexOf(nodeOf(this.#parts, uuid)) + 1)
    })
  }

  /** An agent that has just booted. */
  async #meet(uuid: string, sign: SignOfLife): Promise<SignOfLife> {
    const plugin = pluginOf(this.#parts, nodeOf(this.#parts, uuid))
    await learnAgentSteps(this.#parts, uuid, plugin.deploySteps(this.#kit))
    return withCommands(this.#parts, uuid, sign)
  }

  /** @source Ironic [pxe] boot_retry_timeout: firmware now and then misses its network. The wait's deadline stays. */
  async #bootAgain(uuid: string): Promise<void> {
    const node = nodeOf(this.#parts, uuid)
    if (node.provision_state !== 'wait call-back' || node.wait?.for !== 'agent-boot' || hasAgent(node)) return
    this.#parts.log.warn('machine has not booted the agent, and is started once more', { node: uuid })
    await bootAgent(this.#parts, uuid, this.#parts.jobs.signalOf(uuid)).catch((error: unknown) => {
      if (!(error instanceof ApplianceError)) throw error
      this.#parts.log.warn('machine could not be started once more', { node: uuid, reason: messageOf(error) })
    })
    this.#waits.arm(uuid)
  }

  async #expire(uuid: string): Promise<void> {
    const node = nodeOf(this.#parts, uuid)
    if (node.provision_state !== 'wait call-back' || node.maintenance || !isOverdue(node.wait)) return
    const limit_s = this.#parts.config.conductor.deploy_callback_timeout
    await this.#fail(uuid, timeoutOf(node, currentStepOf(node), limit_s))
  }
}
