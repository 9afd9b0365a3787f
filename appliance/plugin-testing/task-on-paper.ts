/**
 * A Task that only writes down what a plugin does with it. Stands for the whole appliance; strict where a plugin
 * might be careless.
 */

import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { readBoolean } from '@appliance/ground/booleans'
import { readPullSecret } from '@appliance/registry-mirror'
import type {
  AgentCommand,
  ConfigDriveFile,
  ContainerAccess,
  ContainerImage,
  FileOptions,
  Guest,
  InBandStep,
  Json,
  Options,
  ServedFile,
  ServedImage,
  Task,
  Values,
} from '../plugin-api/index.ts'

type NodeFields = {
  properties?: Json
  driver_info?: Json
  instance_info?: Json
  extra?: Json
  target_raid_config?: Json
}
/** What the appliance behind the task would say. */
export type TaskSetting = {
  node?: NodeFields
  /** The plugin's table; its defaults are the values, `values` over them. */
  options?: Options
  values?: Json
  signal?: AbortSignal
  image?: Partial<ServedImage>
  /** What task.images.validate finds wrong, besides an image_source that is missing. */
  imageProblem?: string
  configDrive?: string
  configDriveFiles?: readonly ConfigDriveFile[]
  /** What task.images.text gives. */
  text?: string
  /** By content, of what task.images.file gives. */
  fileFormat?: string
  /** How the agent's commands end. */
  agent?: 'succeeds' | 'fails'
  /** Deploy steps that it offers. */
  agentSteps?: readonly InBandStep[]
  /** What the layers of the ramdisk told, by layer. */
  facts?: Readonly<Record<string, Json>>
  /** The procedure's steps. */
  plan?: readonly InBandStep[]
  kept?: Json
  /** What the BMC says; left out: off. */
  powerState?: 'power on' | 'power off'
  /** What is not on the box, of programs and files; left out: nothing. */
  missing?: readonly string[]
  /** As Task.power.staysOn; left out: false. */
  staysOn?: boolean
  /** What task.folder gives; left out: one that is not there. */
  folder?: string
  /** Where task.images.make has the image built anew; left out: it is there already. */
  buildsAnew?: string
  /** What the registry says of any reference; null: there is no registry. */
  container?: Partial<ContainerImage> | null
  /** With what task.registry.inspect fails. */
  containerProblem?: string
  access?: Partial<ContainerAccess>
  /** null: there are no guests. */
  guest?: Guest['acceleration'] | null
  /** Of the deploy ramdisk. */
  layers?: readonly string[]
}
export type Call = { name: string; args: readonly unknown[] }
export type TaskOnPaper<O extends Options = Options> = {
  task: Task<O>
  calls: readonly Call[]
  /** Calls that ended at once because the signal was aborted. */
  refused: readonly string[]
  kept: Json
}
/**
 * What the appliance would show as a 400 or as last_error; anything else that a plugin throws is a fault of the
 * plugin.
 */
export class Refusal extends Error {}

export const NODE_UUID = '1be26c0b-03f2-4d2e-ae87-c02d7f33c123'
export const CALLBACK_TOKEN = 'callback-token'
export const IMAGE: ServedImage = {
  url: `http://172.22.0.1:8080/agent_images/${NODE_UUID}`,
  format: 'raw',
  size_bytes: 1_610_612_736,
  checksum: { algorithm: 'sha256', value: 'a3'.repeat(32) },
  stream: true,
  variants: [],
}
/** Fields with which an image can be deployed. */
export const IMAGE_FIELDS: Json = { image_source: 'http://images.example/debian.raw', image_checksum: 'a3'.repeat(32) }

export const CONTAINER: ContainerImage = {
  reference: 'quay.example/org/app:v1',
  digest: `sha256:${'d1'.repeat(32)}`,
  manifest_digest: `sha256:${'d2'.repeat(32)}`,
  architecture: 'amd64',
  labels: { 'ostree.bootable': '1' },
  layers: [{ digest: `sha256:${'d3'.repeat(32)}`, size_bytes: 262_144_000 }],
  size_bytes: 262_148_096,
}
export const ACCESS: ContainerAccess = {
  location: '172.22.0.1:5000/quay.example/org/app',
  registry: '172.22.0.1:5000',
  insecure: false,
  ca: '-----BEGIN CERTIFICATE-----\nbase64\n-----END CERTIFICATE-----\n',
  guarded: false,
}

/** Changes nothing in the world: a plugin may call these in `validate`. */
export const HARMLESS: readonly string[] = [
  'failure',
  'log',
  'render',
  'images.validate',
  'images.validateFile',
  'boot.validate',
  'boot.validateParameters',
  'disk.validate',
  'agent.steps',
  'missing',
  'configDrive.encoded',
  'registry.inspect',
  'guest.has',
]

export function createTaskOnPaper<O extends Options = Options>(
  setting: TaskSetting & { options?: O } = {},
): TaskOnPaper<O> {
  const calls: Call[] = []
  const refused: string[] = []
  const kept = structuredClone(setting.kept ?? {})
  const signal = setting.signal ?? new AbortController().signal
  const note = (name: string, args: readonly unknown[]) => void calls.push({ name, args })
  /** Like everything real, it ends when the node's operation is called off. */
  const act = async <T>(name: string, args: readonly unknown[], answer: T): Promise<T> => {
    if (signal.aborted) refused.push(name)
    signal.throwIfAborted()
    note(name, args)
    return answer
  }
  const task: Task = {
    node: frozenNode(setting.node),
    options: Object.freeze({ ...defaultsOf(setting.options), ...setting.values }) as Values<Options>,
    signal,
    log: logWith(note),
    power: {
      on: () => act('power.on', [], undefined),
      off: (...args) => act('power.off', args, undefined),
      bootFrom: (...args) => act('power.bootFrom', args, undefined),
      state: () => act('power.state', [], setting.powerState ?? 'power off'),
      staysOn: setting.staysOn ?? false,
    },
    boot: {
      agent: () => act('boot.agent', [], undefined),
      disk: () => act('boot.disk', [], undefined),
      files: (files) => act('boot.files', [files], undefined),
      async instance(instance) {
        const files = 'iso' in instance ? [instance.iso] : [instance.kernel, ...(instance.ramdisks ?? [])]
        if (!files.every((file) => String(file?.name).startsWith(`${NODE_UUID}.`))) {
          throw new Error('task.boot.instance was given something else than task.images.file gave')
        }
        await act('boot.instance', [instance], undefined)
      },
      validate: () => note('boot.validate', []),
      validateParameters(parameters) {
        note('boot.validateParameters', [parameters])
        if (/[^ -~]|\$\{|(^| )(\|\||&&|;|#)/.test(parameters))
          throw new Refusal('Kernel parameters hold something else')
      },
      async publish(name, ...more) {
        if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) throw new Error(`task.boot.publish: ${name} is no name`)
        const url = `http://172.22.0.1:8080/nodes/${NODE_UUID}/${'k'.repeat(32)}/${name}`
        return act('boot.publish', [name, ...more], url)
      },
    },
    agent: agentWith(setting, { note, act }),
    plan: () => setting.plan ?? [],
    disk: { validate: () => note('disk.validate', []) },
    images: imagesWith(setting, { note, act }),
    registry: registryWith(setting, { note, act }),
    guest: guestWith(setting, { note, act }),
    progress: (...args) => note('progress', args),
    configDrive: {
      encoded: () => act('configDrive.encoded', [], setting.configDrive),
      files: () => act('configDrive.files', [], setting.configDriveFiles ?? []),
    },
    callback: {
      url: `http://172.22.0.1:6385/v1/heartbeat/${NODE_UUID}`,
      token: () => act('callback.token', [], CALLBACK_TOKEN),
    },
    kept,
    async keep(values) {
      if (!isDeepStrictEqual(JSON.parse(JSON.stringify(values)), values)) {
        throw new Error('task.keep was given what JSON cannot hold')
      }
      await act('keep', [values], undefined)
      Object.assign(kept, structuredClone(values))
    },
    exec: (...args) => act('exec', args, { stdout: '' }),
    async missing(wanted) {
      note('missing', [wanted])
      return setting.missing ?? []
    },
    async inTurn(limit, work) {
      if (!Number.isInteger(limit) || limit < 1) throw new Error(`task.inTurn: ${limit} is no number of nodes`)
      await act('inTurn', [limit], undefined)
      return work()
    },
    folder: () => act('folder', [], setting.folder ?? `/var/lib/rackstrap/procedures/${NODE_UUID}`),
    readBoolean,
    render: (template, variables, o) => act('render', [template, variables, o], renderedOnPaper(template, variables)),
    failure(message, cause) {
      note('failure', [message])
      return new Refusal(message, { cause })
    },
  }
  return { task: onlyWhatThereIs(task, 'task') as unknown as Task<O>, calls, refused, kept }
}

type Paper = {
  note(name: string, args: readonly unknown[]): void
  act<T>(name: string, args: readonly unknown[], answer: T): Promise<T>
}

const STOCK_STEPS: readonly InBandStep[] = [{ interface: 'deploy', step: 'write_image', priority: 0 }]

function agentWith(
  { agent = 'succeeds', agentSteps = STOCK_STEPS, facts = {} }: TaskSetting,
  { act }: Paper,
): Task['agent'] {
  return {
    url: 'https://172.22.0.77:9999',
    facts,
    async run(command, params, o) {
      const name = command.split('.').at(-1) ?? command
      const ended = await act('agent.run', [command, params, o], agentCommand(name, agent))
      if (!o?.wait) return { ...ended, status: 'RUNNING' }
      if (ended.status === 'FAILED') throw new Error(`${command} failed: ${ended.error}`)
      return ended
    },
    execute: (step) => act('agent.execute', [step], { wait: 'agent-command' }),
    steps: () => agentSteps,
  }
}

export function agentCommand(name: string, agent: 'succeeds' | 'fails'): AgentCommand {
  return agent === 'succeeds'
    ? { id: 'c1', name, status: 'SUCCEEDED', result: {} }
    : { id: 'c1', name, status: 'FAILED', error: 'the disk is on fire' }
}

function imagesWith(
  { node, image, imageProblem, buildsAnew, signal, fileFormat, text = '' }: TaskSetting,
  { note, act }: Paper,
): Task['images'] {
  const served = { ...IMAGE, ...image }
  return {
    validate() {
      note('images.validate', [])
      const problem = imageProblem ?? (node?.instance_info?.image_source ? undefined : NO_SOURCE)
      if (problem !== undefined) throw new Refusal(problem)
    },
    prefetch: () => note('images.prefetch', []),
    resolve: () => act('images.resolve', [], served),
    validateFile(href, o) {
      note('images.validateFile', [href, o])
      if (!/^(https?|file):\/\//.test(href)) throw new Refusal(`${o.field} is no address that can be used`)
    },
    file: (href, o) => act('images.file', [href, o], fileOnPaper(href, { as: o.as, format: fileFormat })),
    text: (href, o) => act('images.text', [href, o], text),
    async make(key, build, o) {
      await act('images.make', [key, o], undefined)
      if (buildsAnew !== undefined)
        await build(buildsAnew, signal ?? new AbortController().signal, (...told) => note('progress', told))
      return served
    },
  }
}

function registryWith({ container = {}, containerProblem, access }: TaskSetting, { act }: Paper): Task['registry'] {
  if (container === null) return undefined
  return {
    readSecret(value, reference) {
      const found = readPullSecret(value, reference)
      if ('problem' in found) return found
      const { username, password } = found.credentials
      return { secret: Buffer.from(`${username}:${password}`).toString('base64') }
    },
    async inspect(reference, o) {
      const found = await act('registry.inspect', [reference, o], { ...CONTAINER, ...container })
      if (containerProblem !== undefined) throw new Refusal(containerProblem)
      return found
    },
    hold: (...args) => act('registry.hold', args, undefined),
    access: (...args) => act('registry.access', args, { ...ACCESS, ...access }),
  }
}

function guestWith({ guest = 'kvm', layers }: TaskSetting, { act }: Paper): Task['guest'] {
  if (guest === null) return undefined
  const has = (wanted: readonly string[]) => layers === undefined || wanted.every((name) => layers.includes(name))
  return {
    acceleration: guest,
    has: (wanted) => act('guest.has', [wanted], has(wanted)),
    run: (o) => act('guest.run', [o], {}),
  }
}

export function fileOnPaper(
  href: string,
  { as, format = /\.iso$/.test(href) ? 'iso' : 'raw' }: { as?: FileOptions['as']; format?: string | undefined } = {},
): ServedFile {
  const value = createHash('sha256').update(href).digest('hex')
  const name = `${NODE_UUID}.${value.slice(0, 16)}`
  const url = `http://172.22.0.1:8080/agent_images/${name}`
  return {
    name,
    href,
    // Whatever it was asked for: nothing on paper looks at it.
    field: 'instance_info/file',
    url: as === undefined ? url : `${url}/${typeof as === 'function' ? as(format) : as}`,
    format,
    size_bytes: 1024,
    checksum: { algorithm: 'sha256', value },
  }
}

/** Variables in their places; blocks are passed over. */
function renderedOnPaper(template: string, variables: Json): string {
  const lookUp = (path: string) =>
    path.split('.').reduce<unknown>((value, key) => (value as Json | undefined)?.[key], variables)
  return template
    .replace(/\{\{-?\s*([\w.]+)[^}]*\}\}/g, (_, path: string) => String(lookUp(path) ?? ''))
    .replace(/\{[%#].*?[%#]\}/gs, '')
}

const NO_SOURCE =
  `Node ${NODE_UUID} failed to validate deploy image info. Some parameters were missing. ` +
  "Missing are: ['instance_info.image_source']"

function frozenNode(fields: NodeFields = {}): Task['node'] {
  const { properties = {}, driver_info = {}, instance_info = {}, extra = {}, target_raid_config = {} } = fields
  return frozen({
    uuid: NODE_UUID,
    name: 'n1',
    driver: 'ipmi',
    ...structuredClone({ properties, driver_info, instance_info, extra, target_raid_config }),
  })
}

function frozen<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (inner !== null && typeof inner === 'object') frozen(inner)
  return Object.freeze(value)
}

const defaultsOf = (options: Options = {}): Json =>
  Object.fromEntries(Object.entries(options).map(([name, option]) => [name, option.default]))

const logWith = (note: Paper['note']): Task['log'] => {
  const at = (message: string, fields?: Json) => note('log', [message, fields])
  return { debug: at, info: at, warn: at, error: at }
}

const ROOMS: readonly string[] = ['power', 'boot', 'agent', 'disk', 'images', 'callback', 'registry', 'guest']

/** A task that was asked for something else than the contract has would be undefined at a stranger's, later. */
function onlyWhatThereIs<T extends object>(value: T, path: string): T {
  return new Proxy(value, {
    get(target, key, receiver) {
      if (typeof key === 'string' && key !== 'then' && key !== 'toJSON' && !(key in target)) {
        throw new Error(`${path}.${key} is not in the contract`)
      }
      const inner: unknown = Reflect.get(target, key, receiver)
      const isRoom = typeof key === 'string' && ROOMS.includes(key)
      return isRoom && inner !== null && typeof inner === 'object' ? onlyWhatThereIs(inner, `${path}.${key}`) : inner
    },
  })
}
