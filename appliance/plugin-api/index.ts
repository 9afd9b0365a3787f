/** The contract between the appliance and a deploy plugin. Types only: importing this file costs nothing at run time. */

/** Raised when a plugin's object or manifest names another major version. Bumped only when a field changes meaning or goes. */
export type ApiVersion = '1'

/** One configuration option, read from the ini file as `[section] name`; the same table makes the sample file and the docs. */
export type Option = {
  section: string
  help: string
  /** Node fields that may override it for one node, nearest last; e.g. ['driver_info', 'instance_info']. */
  perNode?: readonly NodeField[]
} & (
  | { type: 'string'; default?: string; choices?: readonly string[] }
  | { type: 'integer'; default?: number; min?: number; max?: number; unit?: string }
  | { type: 'boolean'; default?: boolean }
  | { type: 'list'; default?: readonly string[] }
)
export type NodeField = 'driver_info' | 'instance_info'
export type Options = Readonly<Record<string, Option>>
type ValueOf<O extends Option> = O extends { type: 'integer' }
  ? number
  : O extends { type: 'boolean' }
    ? boolean
    : O extends { type: 'list' }
      ? readonly string[]
      : O extends { choices: readonly (infer C)[] }
        ? C
        : string
export type Values<O extends Options> = {
  readonly [K in keyof O]: ValueOf<O[K]> | (O[K] extends { default: unknown } ? never : undefined)
}

/** What a step returned. `wait` persists and frees the runner: the next heartbeat calls `resume`, also after a restart. */
export type StepResult = { done: true } | { wait: 'agent-command' | 'agent-boot' | 'callback'; note?: string }

export type Step<O extends Options> = {
  /** Name as the API shows it in `deploy_step`; snake_case, unique within the interface. */
  step: string
  /** Higher runs first; 0 = only when asked for by a deploy template. Core steps stand at 100, 80, 60, 40, 30, 20. */
  priority: number
  argsInfo?: Record<string, { description: string; required?: boolean }>
  run(task: Task<O>, args: Record<string, unknown>): Promise<StepResult>
  /** Called for each sign of life while this step waits. Left out: done once the agent's newest command has succeeded. */
  resume?(task: Task<O>, sign: SignOfLife): Promise<StepResult>
}
export type SignOfLife =
  | { from: 'agent'; commands: readonly AgentCommand[] }
  | { from: 'callback'; status: 'start' | 'end' | 'error'; message?: string }
export type AgentCommand = {
  name: string
  status: 'RUNNING' | 'SUCCEEDED' | 'FAILED'
  result?: unknown
  error?: string
}

/** Everything a step may touch. Handed in, never imported: so a plugin folder needs no node_modules. */
export type Task<O extends Options = Options> = {
  readonly node: Readonly<{ uuid: string; driver: string; properties: Json; driver_info: Json; instance_info: Json }>
  /** The options with this node's overrides applied. */
  readonly options: Values<O>
  readonly log: {
    debug(m: string, f?: Json): void
    info(m: string, f?: Json): void
    warn(m: string, f?: Json): void
    error(m: string, f?: Json): void
  }
  /** Aborted on node abort, on timeout and on shutdown. */
  readonly signal: AbortSignal
  readonly power: {
    on(): Promise<void>
    off(o?: { soft?: boolean }): Promise<void>
    bootFrom(device: 'disk' | 'network' | 'cdrom'): Promise<void>
  }
  readonly boot: {
    agent(): Promise<void>
    instance(
      what:
        | { kernel: string; ramdisk: string; cmdline?: string }
        | { iso: string }
        | { kickstart: string; kernel: string; ramdisk: string },
    ): Promise<void>
  }
  readonly agent: {
    run(command: string, params: Json, o?: { wait?: boolean }): Promise<AgentCommand>
    steps(): Promise<readonly { interface: string; step: string; priority: number }[]>
    readonly url: string | undefined
  }
  readonly images: {
    /** The node's image_source as the agent should fetch it: cached, verified and converted where the options say so. */
    resolve(): Promise<ServedImage>
    /**
     * Makes a raw image once per `key` however many nodes ask, keeps it in the image cache, serves it.
     * `build` writes to `path` (sparse welcome); a crash leaves nothing visible. Key: everything the result depends on, digests not tags.
     */
    make(key: string, build: (path: string, signal: AbortSignal) => Promise<void>): Promise<ServedImage>
  }
  /** Shown in the CLI, the pages and the node's history; cheap to call often. */
  readonly progress: (p: { note: string; done?: number; total?: number; unit?: 'bytes' | 'steps' }) => void
  readonly configDrive: { encoded(): Promise<string | undefined> }
  readonly registry: {
    credentialsFor(reference: string): Promise<string | undefined>
    isBootable(reference: string): Promise<boolean>
  }
  readonly exec: (
    file: string,
    args: readonly string[],
    o?: { cwd?: string; env?: Record<string, string>; onLine?(line: string): void },
  ) => Promise<{ stdout: string }>
  /** An error in the operator's words: `throw task.failure('…')`. Becomes the node's last_error. */
  readonly failure: (message: string, cause?: unknown) => Error
}
export type Json = Record<string, unknown>
/** A precompressed form that the appliance offers under the same url by Accept-Encoding; our agent reads the list, a stock one ignores it. */
export type ImageVariant = {
  encoding: 'zstd' | 'gzip'
  /** Of the bytes on the wire. */
  size_bytes: number
  /** Of the bytes on the wire, so that the agent need not hash what it unpacks. */
  checksum: { algorithm: string; value: string }
}
export type ServedImage = {
  url: string
  format: 'raw' | 'qcow2'
  /** Of the file at url; of the virtual disk when it is raw. undefined: an upstream that did not say. */
  size_bytes: number | undefined
  checksum: { algorithm: string; value: string } | undefined
  /** The agent may write it as it comes. */
  stream: boolean
  variants: readonly ImageVariant[]
}

/** Ready-made steps; a plugin composes them instead of inheriting from another plugin. */
export type Kit<O extends Options> = {
  /** deploy 100, prepare_instance_boot 60, tear_down_agent 40, switch_to_tenant_network 30, boot_instance 20. */
  agentFlow(o?: { without?: readonly string[] }): Step<O>[]
  /** The in-band steps that the agent itself offers, found once it is up. */
  inBandSteps(range: { from: number; to: number }): Step<O>[]
}

export type DeployPlugin<O extends Options = Options> = {
  apiVersion: ApiVersion
  /** The `deploy_interface` value; must equal the manifest's. */
  name: string
  options: O
  /** Node properties that users may set, name to help text; served at /v1/drivers/<driver>/properties. */
  properties?: Readonly<Record<string, string>>
  /** Ramdisk layers that this plugin's folder brings (`layers/<name>/`), loaded over the core only for nodes that use it; e.g. ['podman']. */
  ramdiskLayers?: readonly string[]
  /** False: no agent is booted; the plugin drives boot and power itself (ramdisk, anaconda). */
  usesAgent: boolean
  /** Throws with what is missing, in the operator's words. No side effects; called by the validate API and before a deploy. */
  validate(task: Task<O>): Promise<void>
  /** May be called again after a restart: must be idempotent. */
  prepare?(task: Task<O>): Promise<void>
  deploySteps(kit: Kit<O>): readonly Step<O>[]
  cleanSteps?(kit: Kit<O>): readonly Step<O>[]
  /** Always runs: after success, failure, abort and tear down. Idempotent. */
  cleanUp?(task: Task<O>): Promise<void>
  /** For `autodetect`: is this plugin the one for this node's image? */
  supports?(task: Task<O>): Promise<boolean>
}
