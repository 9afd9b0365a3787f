/** Runs a node's deploy steps, one after the other, from wait to wait. What must survive a restart is in its record before anything goes on. */
import type { Command } from '../../agent/commands.ts'
import { AgentFailure, ApplianceError, DeployFailure, messageOf } from '../../errors.ts'
import type { ImageRequest } from '../../images/images.ts'
import type { Node, Wait } from '../../nodes/node.ts'
import type { DeployPlugin, SignOfLife, StepResult, Task } from '../../plugin-api/index.ts'
import { merged, nodeOf, type Parts, pluginOf, setInternal } from '../parts.ts'
import { move } from '../transitions.ts'
import { createKit } from './agent-flow.ts'
import { learnAgentSteps } from './agent-steps.ts'
import { failDeploy, finishDeploy } from './end.ts'
import { currentStepOf, indexOf, keyOf, type PlannedStep, planOf, planSteps, userSteps } from './plan.ts'
import { createPrefetches } from './prefetch.ts'
import { whileItProgresses } from './stall.ts'
import { afterSign, stepFor } from './steps.ts'
import { makeTask } from './task.ts'
import { timeoutOf } from './timeout.ts'
import { createWaits, isOverdue } from './waits.ts'

export type Callback = { status: 'start' | 'end' | 'error'; message?: string }
export type Deploys = {
  /** The node is held and `deploying`. Resolves when it waits, is active, or has failed. */
  begin(uuid: string): Promise<void>
  /** The same for one that was cut off by a restart. */
  goOn(uuid: string): Promise<void>
  /** After a restart: the node waits still. */
  waitOn(uuid: string): void
  /** A heartbeat came; taken up behind, in its turn. */
  heard(uuid: string, callback?: Callback): void
  /** Fails those whose deadline is over. */
  checkDeadlines(): Promise<void>
}
type Waiting = Extract<StepResult, { wait: string }>

export function createDeploys(parts: Parts): Deploys {
  const kit = createKit(parts)
  const queued = new Set<string>()
  const waits = createWaits(parts, {
    onDue: (uuid) => inTurn(uuid, 'deadline', () => expire(uuid)),
    onCommandEnd: (uuid) => inTurn(uuid, 'end of a command', () => resume(uuid)),
    onLost: (uuid, error) => inTurn(uuid, 'lost command', () => failStep(uuid, error)),
  })
  const prefetches = createPrefetches(parts, (uuid, error) =>
    inTurn(uuid, 'lost image', () => failDeploy(parts, uuid, imageFailure(uuid, error))),
  )

  /** Runs `work` behind, when the node is free; not at all when its deploy is over by then. */
  function inTurn(uuid: string, what: string, work: () => Promise<void>): void {
    parts.jobs.run(what, uuid, async () => {
      const signal = parts.jobs.signalOf(uuid)
      const release = await parts.holds.takeInTurn(uuid, signal).catch((error: unknown) => {
        if (signal.aborted) return undefined
        throw error
      })
      try {
        if (release) await work()
      } finally {
        await release?.()
      }
    })
  }

  const task = (uuid: string, guard: { signal: AbortSignal }, step?: PlannedStep): Task =>
    makeTask(parts, uuid, {
      ...guard,
      ...(step ? { step } : {}),
      prefetch: (request: ImageRequest) => prefetches.begin(request),
    })

  async function guarded(uuid: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (parts.jobs.stopping.aborted) return
      if (!(error instanceof ApplianceError)) parts.log.error('deploy threw', { node: uuid, error })
      await failStep(uuid, error)
    }
  }

  async function failStep(uuid: string, error: unknown): Promise<void> {
    waits.disarm(uuid)
    const planned = currentStepOf(nodeOf(parts, uuid))
    const what = planned ? `Deploy step ${keyOf(planned)} failed: ` : 'Preparing the deploy failed: '
    await failDeploy(parts, uuid, new DeployFailure(what + messageOf(error), { cause: error }))
  }

  const limit_s = parts.config.conductor.deploy_callback_timeout
  const withTask = <T>(uuid: string, planned: PlannedStep | undefined, act: (task: Task) => Promise<T>): Promise<T> =>
    whileItProgresses(planned ? keyOf(planned) : 'prepare', limit_s, parts.jobs.signalOf(uuid), (guard) =>
      act(task(uuid, guard, planned)),
    )

  async function runFrom(uuid: string, from: number): Promise<void> {
    for (let index = from; ; index++) {
      const planned = planOf(nodeOf(parts, uuid))[index]
      if (!planned) return finishDeploy(parts, uuid)
      const node = await startStep(parts, uuid, index, planned)
      const step = stepFor(pluginOf(parts, node), kit, node, planned)
      const result = await withTask(uuid, planned, (given) => step.run(given, planned.args))
      if ('wait' in result) return enterWait(uuid, result)
      finishStep(parts, uuid)
    }
  }

  async function enterWait(uuid: string, { wait, note }: Waiting): Promise<void> {
    const kept: Wait = { for: wait, deadline: waits.deadline(), ...(note ? { note } : {}) }
    await move(parts, uuid, 'wait', { wait: kept })
    waits.arm(uuid)
  }

  async function settle(uuid: string, result: StepResult): Promise<void> {
    if ('wait' in result) return enterWait(uuid, result)
    finishStep(parts, uuid)
    await runFrom(uuid, indexOf(nodeOf(parts, uuid)) + 1)
  }

  /** The node is held. Goes on when what it waits for has come. */
  async function resume(uuid: string, callback?: Callback): Promise<void> {
    const node = nodeOf(parts, uuid)
    const { wait } = node
    const planned = currentStepOf(node)
    if (node.provision_state !== 'wait call-back' || !wait || !planned || node.maintenance) return
    const sign = await signFor(parts, node, wait, callback)
    if (!sign) return
    await waits.touch(uuid)
    await guarded(uuid, async () => {
      const step = stepFor(pluginOf(parts, node), kit, node, planned)
      if (isStillRunning(sign) && !step.resume) return
      waits.disarm(uuid)
      // The wait stays in the record until the next step begins: cut off here, it is waited for again.
      await move(parts, uuid, 'resume', (now) => ({ wait: now.wait }))
      if (wait.for === 'agent-boot') await learnAgentSteps(parts, uuid, pluginOf(parts, node).deploySteps(kit))
      const told = wait.for === 'agent-boot' ? await withCommands(parts, uuid, sign) : sign
      const result = await withTask(uuid, planned, async (given) =>
        step.resume ? step.resume(given, told) : afterSign(planned, told),
      )
      await settle(uuid, result)
    })
  }

  async function expire(uuid: string): Promise<void> {
    const node = nodeOf(parts, uuid)
    if (node.provision_state !== 'wait call-back' || node.maintenance || !isOverdue(node)) return
    waits.disarm(uuid)
    await failDeploy(parts, uuid, timeoutOf(node, currentStepOf(node), limit_s))
  }

  async function begin(uuid: string): Promise<void> {
    await guarded(uuid, async () => {
      const node = nodeOf(parts, uuid)
      const plugin: DeployPlugin = pluginOf(parts, node)
      await withTask(uuid, undefined, async (given) => plugin.prepare?.(given))
      const sources = { plugin: plugin.deploySteps(kit), offered: undefined, user: userSteps(node) }
      await setInternal(parts, uuid, { deploy_steps: planSteps(sources), deploy_step_index: -1 })
      await runFrom(uuid, 0)
    })
  }

  async function goOn(uuid: string): Promise<void> {
    const node = nodeOf(parts, uuid)
    const planned = currentStepOf(node)
    if (!planned) return begin(uuid)
    await guarded(uuid, async () => {
      if (node.wait) {
        await move(parts, uuid, 'wait', { wait: node.wait })
        return waitOn(uuid)
      }
      if (typeof node.driver_internal_info.agent_command_id === 'string') {
        return enterWait(uuid, { wait: 'agent-command', note: `the agent runs ${keyOf(planned)}` })
      }
      if (stepFor(pluginOf(parts, node), kit, node, planned).again) return runFrom(uuid, indexOf(node))
      throw new DeployFailure('the appliance was restarted while it ran. Deploy again.')
    })
  }

  function waitOn(uuid: string): void {
    waits.arm(uuid)
    // Its heartbeat may have come just before the end.
    if (hasAgent(nodeOf(parts, uuid))) heard(uuid)
  }

  function heard(uuid: string, callback?: Callback): void {
    if (!callback && queued.has(uuid)) return
    if (!callback) queued.add(uuid)
    inTurn(uuid, 'heartbeat', () => {
      if (!callback) queued.delete(uuid)
      return resume(uuid, callback)
    })
  }

  return {
    begin,
    goOn,
    waitOn,
    heard,
    async checkDeadlines() {
      for (const node of parts.store.nodes.all()) {
        if (node.provision_state === 'wait call-back' && isOverdue(node)) {
          inTurn(node.uuid, 'deadline', () => expire(node.uuid))
        }
      }
    },
  }
}

const hasAgent = ({ driver_internal_info: { agent_url } }: Node) => typeof agent_url === 'string' && agent_url !== ''
const isStillRunning = (sign: SignOfLife) => sign.from === 'agent' && sign.command?.status === 'RUNNING'
const imageFailure = (uuid: string, error: unknown) =>
  new DeployFailure(`The image of node ${uuid} cannot be had: ${messageOf(error)}`, { cause: error })

async function startStep(parts: Parts, uuid: string, index: number, planned: PlannedStep): Promise<Node> {
  const { interface: name, step, priority, args } = planned
  const node = await parts.store.nodes.update(uuid, ({ driver_internal_info }) => ({
    wait: null,
    deploy_step: { interface: name, step, priority, ...(Object.keys(args).length > 0 ? { args } : {}) },
    driver_internal_info: merged(driver_internal_info, {
      deploy_step_index: index,
      deploy_step_started_at: new Date().toISOString(),
      agent_command_id: undefined,
    }),
  }))
  parts.log.info('step started', { node: uuid, interface: name, step })
  return node
}

function finishStep(parts: Parts, uuid: string): void {
  const node = nodeOf(parts, uuid)
  const started_ms = Date.parse(String(node.driver_internal_info.deploy_step_started_at))
  const duration_s = Math.round(Date.now() - started_ms) / 1000
  const { interface: name, step } = node.deploy_step
  parts.log.info('step finished', { node: uuid, interface: name, step, duration_s })
}

/** undefined: this is not what the node waits for, or the agent cannot be asked now and will be soon. */
async function signFor(parts: Parts, node: Node, wait: Wait, callback?: Callback): Promise<SignOfLife | undefined> {
  if (wait.for === 'callback') return callback && { from: 'callback', ...callback }
  if (!hasAgent(node)) return undefined
  if (wait.for === 'agent-boot') return { from: 'agent', waited: 'agent-boot', commands: [] }
  const { agent_command_id } = node.driver_internal_info
  let commands: Command[]
  try {
    commands = await parts.agent.commands(node, parts.jobs.signalOf(node.uuid), 1)
  } catch (error) {
    if (!(error instanceof AgentFailure)) throw error
    parts.log.debug('agent does not tell its commands', { node: node.uuid, reason: messageOf(error) })
    return undefined
  }
  const command = commands.find(({ id }) => id === agent_command_id)
  return command && { from: 'agent', waited: 'agent-command', commands, command }
}

async function withCommands(parts: Parts, uuid: string, sign: SignOfLife): Promise<SignOfLife> {
  if (sign.from !== 'agent') return sign
  return { ...sign, commands: await parts.agent.commands(nodeOf(parts, uuid), parts.jobs.signalOf(uuid)) }
}
