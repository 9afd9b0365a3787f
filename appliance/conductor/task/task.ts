/** Makes what is handed to a plugin. Everything a plugin does to a machine goes through here. */
import { join } from 'node:path'
import { readBoolean } from '@appliance/ground/booleans'
import { plainText } from '@appliance/ground/plain-text'
import { checkMachineFiles } from '@appliance/pxe'
import { factsIn } from '../../agent/layer-facts.ts'
import { DeployFailure } from '../../errors.ts'
import type { ImageRequest } from '../../images/images.ts'
import type { InBandStep, Json, Progress, Task } from '../../plugin-api/index.ts'
import type { PlannedStep } from '../../records/kinds/internal-info.ts'
import type { Node } from '../../records/kinds/node.ts'
import { agentApiUrl } from '../boot/boot.ts'
import { instanceBoot, validateParameters } from '../boot/instance.ts'
import { publish } from '../boot/published.ts'
import { checkPorts } from '../boot/ramdisk.ts'
import { setBoot } from '../boot/record.ts'
import { nodeForPlugin, type Parts } from '../parts/parts.ts'
import { inTurn } from '../parts/turns.ts'
import { exec } from '../plugin/exec.ts'
import { logFor } from '../plugin/log-for.ts'
import { missing } from '../plugin/missing.ts'
import { optionsFor } from '../plugin/option-values.ts'
import { pluginOf } from '../plugin/plugin-of.ts'
import { keepsPower, readPowerState, setPower } from '../power/power.ts'
import { offeredSteps, planOf } from '../procedures/plan.ts'
import { internalChange, internalOf, lastProcedure, procedureOf } from '../procedures/procedure.ts'
import type { NodeHandle } from '../states/node-handle.ts'
import { nodeForAgent, portsForAgent } from './agent-words.ts'
import { whenNotBusy } from './busy.ts'
import { callbackToken, configDriveFilesOf, configDriveOf } from './callback.ts'
import { registryFor } from './container-images.ts'
import { procedureFolder } from './folder.ts'
import { guestFor } from './guest.ts'
import { bootAgent, bootFrom, type MachineParts } from './machine.ts'
import { checkRootDevice } from './root-device.ts'

/** All that a plugin's step may do. */
export type TaskParts = MachineParts &
  Pick<Parts, 'turns' | 'images' | 'registry' | 'guests' | 'folder' | 'hidden' | 'reserve' | 'http_url' | 'renderer'>

export type TaskContext = {
  signal: AbortSignal
  /** The step that the task is made for. */
  step?: PlannedStep
  onProgress?: (progress: Progress) => void
  /** The node's deploy interface has no part in what the task is for. */
  withoutPlugin?: true
  /** Begins to resolve the node's image in the background. */
  prefetch?: (request: ImageRequest) => void
}

const PROGRESS_PAUSE_MS = 500
/** What has not changed is told as a sign of life. */
const STANDSTILL_PAUSE_MS = 10_000
/** Of the time that it has taken so far: whole disks are overwritten for hours. */
const PAUSE_OF_TIME = 0.005
const LONGEST_PAUSE_MS = 60_000

/** @throws InvalidParameterValue  the node's plugin is not loaded, or its options do not fit */
export function makeTask(parts: TaskParts, node: NodeHandle, context: TaskContext): Task {
  const { uuid, record } = node
  const { signal } = context
  const progress = tellProgress(parts, uuid, context.onProgress)
  return {
    node: nodeForPlugin(record),
    options: context.withoutPlugin ? {} : optionsFor(parts, record, pluginOf(parts, record)),
    log: logFor(parts.log, { node: uuid, ...stepFields(context.step) }),
    signal,
    ...machineFor(parts, node, signal),
    agent: agentFor(parts, node, context),
    plan: () => planOf(node.record).map(nameAndPlace),
    disk: { validate: () => checkRootDevice(node.record) },
    images: imagesFor(parts, node, context, progress),
    ...registryFor(parts, node, { signal, progress }),
    // Looked for only when it is asked for: tasks are made often.
    get guest() {
      return guestFor(parts, { signal, progress })
    },
    progress,
    configDrive: {
      encoded: () => configDriveOf(node.record, signal),
      files: () => configDriveFilesOf(parts, node.record, signal),
    },
    callback: {
      url: `${agentApiUrl(parts)}/v1/heartbeat/${uuid}`,
      token: () => callbackToken(node),
    },
    get kept() {
      return keptOf(node.record)
    },
    async keep(values) {
      await node.update((now) => ({
        internal: internalChange(lastProcedure(now).kind, { kept: { ...keptOf(now), ...values } }),
      }))
    },
    exec: (file, args, o = {}) =>
      exec(file, args, o, {
        ...{ signal, node_uuid: uuid, hidden: parts.hidden, reserve: parts.reserve, folder: join(parts.folder, uuid) },
      }),
    missing,
    inTurn: (limit, work) => inTurn(parts.turns, { plugin: record.interfaces.deploy, signal, progress }, limit, work),
    folder: () => procedureFolder(parts, node),
    readBoolean,
    render: (template, variables, { name }) => parts.renderer.render({ template, variables, name, signal }),
    failure: (message, cause) => new DeployFailure(message, { cause }),
  }
}

const keptOf = (node: Node): Json => internalOf(node, lastProcedure(node).kind, 'kept') ?? {}

function machineFor(
  parts: MachineParts & Pick<Parts, 'http_url'>,
  node: NodeHandle,
  signal: AbortSignal,
): Pick<Task, 'power' | 'boot'> {
  const { uuid } = node
  return {
    power: {
      on: () => setPower(parts, node, 'power on', { signal }),
      off: (o = {}) => setPower(parts, node, o.soft ? 'soft power off' : 'power off', { signal }),
      bootFrom: (device, o = {}) =>
        bootFrom(parts, node, device, { persistent: o.persistent ?? device === 'disk', signal }),
      state: () => readPowerState(parts, node, signal),
      get staysOn() {
        return keepsPower(parts, node.record)
      },
    },
    boot: {
      agent: () => bootAgent(parts, node, signal),
      disk: () => setBoot(parts, uuid, () => ({ agent: false, instance: null })),
      async files(files) {
        checkMachineFiles(files)
        await setBoot(parts, uuid, () => ({ files_secret: files.map((file) => ({ ...file })) }))
      },
      async instance(instance) {
        const boot = await instanceBoot(parts.images, uuid, instance)
        await setBoot(parts, uuid, () => ({ agent: false, instance: boot }))
      },
      validate: () => checkPorts(parts, uuid),
      validateParameters: (parameters) => validateParameters(uuid, parameters),
      publish: (name, text, { until = 'deploy' } = {}) => publish(parts, uuid, name, { text, until }),
    },
  }
}

function imagesFor(
  parts: Pick<Parts, 'images'>,
  node: NodeHandle,
  { signal, prefetch }: TaskContext,
  progress: (progress: Progress) => void,
): Task['images'] {
  const { uuid } = node
  const request = (): ImageRequest => {
    const { instance_info, driver_info } = node.record
    return { node_uuid: uuid, instance_info, driver_info, signal, progress }
  }
  return {
    validate: () => parts.images.validate(request()),
    prefetch: () => prefetch?.(request()),
    resolve: () => parts.images.resolve(request()),
    validateFile: (href, o) => parts.images.validateFile({ href, ...o }),
    file: (href, o) => parts.images.file({ node_uuid: uuid, href, ...o, signal, progress }),
    text: (href, o) => parts.images.text({ node_uuid: uuid, href, ...o, signal, progress }),
    make: (key, build, o) => parts.images.make(key, request(), build, o),
  }
}

const NOTE_LIMIT = 1000

/**
 * Shows progress in the log: the last of each note always, others as often as a reader can follow: what takes long
 * changes slowly.
 * A note of its own is shown at once.
 */
export function tellProgress({ log }: Pick<Parts, 'log'>, uuid: string, onProgress?: (progress: Progress) => void) {
  const began_ms = performance.now()
  let shown: { note: string; done?: number; at_ms: number } = { note: '', at_ms: 0 }
  return (progress: Progress): void => {
    onProgress?.(progress)
    const { note, done, total } = progress
    const now = performance.now()
    const isSame = note === shown.note && done === shown.done
    const isNew = note !== shown.note || (done !== undefined && done === total && !isSame)
    const pause_ms = Math.max(isSame ? STANDSTILL_PAUSE_MS : PROGRESS_PAUSE_MS, (now - began_ms) * PAUSE_OF_TIME)
    if (!isNew && now - shown.at_ms < Math.min(pause_ms, LONGEST_PAUSE_MS)) return
    shown = { note, ...(done !== undefined && { done }), at_ms: now }
    log.info('progress', {
      node: uuid,
      note: plainText(note.slice(0, NOTE_LIMIT)),
      ...(done === undefined ? {} : { done }),
      ...(total === undefined ? {} : { total }),
    })
  }
}

const stepFields = (step: PlannedStep | undefined) => (step ? { interface: step.interface, step: step.step } : {})

function agentFor(
  parts: Pick<Parts, 'agent' | 'store'>,
  node: NodeHandle,
  { signal, step }: TaskContext,
): Task['agent'] {
  const run: Task['agent']['run'] = async (name, params, o = {}) => {
    const wait = o.wait ?? false
    const command = await parts.agent.run(node.record, name, params, { wait, signal })
    // What is found after a restart: this command is to be waited for, not given again.
    if (!wait) await node.update({ internal: { agent_command_id: command.id } })
    return command
  }
  return {
    get url() {
      const url = node.record.driver_internal_info.agent_url
      return url === '' ? undefined : url
    },
    get facts() {
      return factsIn(node.record.driver_internal_info.agent_layer_facts)
    },
    run,
    async execute(asked) {
      const { record } = node
      const { agent } = procedureOf(record)
      const params = {
        step: { ...asked, ...(step ? { priority: step.priority } : {}) },
        node: nodeForAgent(record),
        ports: portsForAgent(parts.store, node.uuid),
        [agent.version]: record.driver_internal_info.hardware_manager_version ?? {},
      }
      await whenNotBusy(() => run(agent.execute, params), signal)
      return { wait: 'agent-command', note: `the agent runs ${asked.interface}.${asked.step}` }
    },
    steps: () => (offeredSteps(node.record) ?? []).map(nameAndPlace),
  }
}

const nameAndPlace = ({ interface: name, step, priority }: InBandStep): InBandStep => ({
  interface: name,
  step,
  priority,
})
