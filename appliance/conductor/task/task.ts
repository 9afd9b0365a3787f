/** Makes what is handed to a plugin. Everything a plugin does to a machine goes through here. */
import { readBoolean } from '@appliance/ground/booleans'
import { checkMachineFiles } from '@appliance/pxe'
import { DeployFailure } from '../../errors.ts'
import type { ImageRequest } from '../../images/images.ts'
import type { Json, Progress, Task } from '../../plugin-api/index.ts'
import type { PlannedStep } from '../../records/kinds/internal-info.ts'
import type { Node } from '../../records/kinds/node.ts'
import { agentApiUrl } from '../boot/boot.ts'
import { instanceBoot } from '../boot/instance.ts'
import { publish } from '../boot/published.ts'
import { setBoot } from '../boot/record.ts'
import { merged, nodeForPlugin, nodeOf, type Parts, pluginOf, setInternal } from '../parts/parts.ts'
import { exec } from '../plugin/exec.ts'
import { optionsFor } from '../plugin/option-values.ts'
import { setPower } from '../power/power.ts'
import { offeredSteps } from '../procedures/plan.ts'
import { internalChange, internalOf, lastProcedure, procedureOf } from '../procedures/procedure.ts'
import { nodeForAgent, portsForAgent } from './agent-words.ts'
import { whenNotBusy } from './busy.ts'
import { callbackToken, configDriveOf } from './callback.ts'
import { registryFor } from './container-images.ts'
import { procedureFolder } from './folder.ts'
import { guestFor } from './guest.ts'
import { bootAgent, bootFrom, type MachineParts } from './machine.ts'
import { checkRootDevice } from './root-device.ts'

/** All that a plugin's step may do. */
export type TaskParts = MachineParts & Pick<Parts, 'images' | 'registry' | 'guests' | 'folder' | 'http_url'>

export type TaskContext = {
  signal: AbortSignal
  /** The step that the task is made for. */
  step?: PlannedStep
  onProgress?: (progress: Progress) => void
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
export function makeTask(parts: TaskParts, uuid: string, context: TaskContext): Task {
  const node = nodeOf(parts, uuid)
  const { signal } = context
  const progress = tellProgress(parts, uuid, context.onProgress)
  return {
    node: nodeForPlugin(node),
    options: optionsFor(parts, node, pluginOf(parts, node)),
    log: logFor(parts, uuid, context.step),
    signal,
    ...machineFor(parts, uuid, signal),
    agent: agentFor(parts, uuid, context),
    disk: { validate: () => checkRootDevice(nodeOf(parts, uuid)) },
    images: imagesFor(parts, uuid, context, progress),
    ...registryFor(parts, uuid, { signal, progress }),
    // Looked for only when it is asked for: tasks are made often.
    get guest() {
      return guestFor(parts, { signal, progress })
    },
    progress,
    configDrive: { encoded: () => configDriveOf(nodeOf(parts, uuid), signal) },
    callback: {
      url: `${agentApiUrl(parts)}/v1/heartbeat/${uuid}`,
      token: () => callbackToken(parts, uuid),
    },
    get kept() {
      return keptOf(nodeOf(parts, uuid))
    },
    async keep(values) {
      await parts.store.nodes.update(uuid, (now) => ({
        driver_internal_info: merged(
          now.driver_internal_info,
          internalChange(lastProcedure(now).kind, { kept: { ...keptOf(now), ...values } }),
        ),
      }))
    },
    exec: (file, args, o = {}) => exec(file, args, o, signal),
    folder: () => procedureFolder(parts, uuid),
    readBoolean,
    failure: (message, cause) => new DeployFailure(message, { cause }),
  }
}

const keptOf = (node: Node): Json => internalOf(node, lastProcedure(node).kind, 'kept') ?? {}

function machineFor(
  parts: MachineParts & Pick<Parts, 'http_url'>,
  uuid: string,
  signal: AbortSignal,
): Pick<Task, 'power' | 'boot'> {
  return {
    power: {
      on: () => setPower(parts, uuid, 'power on', { signal }),
      off: (o = {}) => setPower(parts, uuid, o.soft ? 'soft power off' : 'power off', { signal }),
      bootFrom: (device, o = {}) =>
        bootFrom(parts, uuid, device, { persistent: o.persistent ?? device === 'disk', signal }),
    },
    boot: {
      agent: () => bootAgent(parts, uuid, signal),
      disk: () => setBoot(parts, uuid, () => ({ agent: false, instance: null })),
      async files(files) {
        checkMachineFiles(files)
        await setBoot(parts, uuid, () => ({ files_secret: files.map((file) => ({ ...file })) }))
      },
      async instance(instance) {
        const boot = instanceBoot(uuid, instance)
        await setBoot(parts, uuid, () => ({ agent: false, instance: boot }))
      },
      publish: (name, text, { until = 'deploy' } = {}) => publish(parts, uuid, name, { text, until }),
    },
  }
}

function imagesFor(
  parts: Pick<Parts, 'images' | 'store'>,
  uuid: string,
  { signal, prefetch }: TaskContext,
  progress: (progress: Progress) => void,
): Task['images'] {
  const request = (): ImageRequest => {
    const { instance_info, driver_info } = nodeOf(parts, uuid)
    return { node_uuid: uuid, instance_info, driver_info, signal, progress }
  }
  return {
    validate: () => parts.images.validate(request()),
    prefetch: () => prefetch?.(request()),
    resolve: () => parts.images.resolve(request()),
    validateFile: (href, o) => parts.images.validateFile({ href, ...o }),
    file: (href, o) => parts.images.file({ node_uuid: uuid, href, ...o, signal, progress }),
    make: (key, build, o) => parts.images.make(key, request(), build, o),
  }
}

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
      note,
      ...(done === undefined ? {} : { done }),
      ...(total === undefined ? {} : { total }),
    })
  }
}

function logFor({ log }: Pick<Parts, 'log'>, uuid: string, step: PlannedStep | undefined): Task['log'] {
  const always = { node: uuid, ...(step ? { interface: step.interface, step: step.step } : {}) }
  return {
    debug: (message, fields) => log.debug(message, { ...fields, ...always }),
    info: (message, fields) => log.info(message, { ...fields, ...always }),
    warn: (message, fields) => log.warn(message, { ...fields, ...always }),
    error: (message, fields) => log.error(message, { ...fields, ...always }),
  }
}

function agentFor(parts: Pick<Parts, 'agent' | 'store'>, uuid: string, { signal, step }: TaskContext): Task['agent'] {
  const run: Task['agent']['run'] = async (name, params, o = {}) => {
    const wait = o.wait ?? false
    const command = await parts.agent.run(nodeOf(parts, uuid), name, params, { wait, signal })
    // What is found after a restart: this command is to be waited for, not given again.
    if (!wait) await setInternal(parts, uuid, { agent_command_id: command.id })
    return command
  }
  return {
    get url() {
      const url = nodeOf(parts, uuid).driver_internal_info.agent_url
      return url === '' ? undefined : url
    },
    run,
    async execute(asked) {
      const node = nodeOf(parts, uuid)
      const { agent } = procedureOf(node)
      const params = {
        step: { ...asked, ...(step ? { priority: step.priority } : {}) },
        node: nodeForAgent(node),
        ports: portsForAgent(parts.store, uuid),
        [agent.version]: node.driver_internal_info.hardware_manager_version ?? {},
      }
      await whenNotBusy(() => run(agent.execute, params), signal)
      return { wait: 'agent-command', note: `the agent runs ${asked.interface}.${asked.step}` }
    },
    steps: () =>
      (offeredSteps(nodeOf(parts, uuid)) ?? []).map(({ interface: name, step: offered, priority }) => ({
        interface: name,
        step: offered,
        priority,
      })),
  }
}
