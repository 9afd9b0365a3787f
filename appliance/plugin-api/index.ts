/**
 * The contract between the appliance and a deploy plugin. Types only: importing this file costs nothing at run time.
 */

import type { MachineBoot } from './boot.ts'
import type { BoundSecrets } from './bound-secrets.ts'
import type { Guest } from './guest.ts'
import type { Images, ServedImage } from './images.ts'
import type { Progress } from './progress.ts'
import type { ContainerRegistry } from './registry.ts'

export type { BootFile, InstanceToBoot } from './boot.ts'
export type { BoundSecrets, NodePath } from './bound-secrets.ts'
export type { Guest } from './guest.ts'
export type { FileOptions, ImageVariant, ServedFile, ServedImage } from './images.ts'
export type { Progress } from './progress.ts'
export type { ContainerAccess, ContainerImage, ContainerRegistry, PullSecret } from './registry.ts'

/**
 * Raised when a plugin's object or manifest names another major version. Bumped only when a field changes meaning or
 * goes.
 */
export type ApiVersion = '1'

export type Json = Record<string, unknown>

/**
 * One configuration option, read from the ini file as `[section] name`; the same table makes the sample file and the
 * docs.
 */
export type Option = {
  section: string
  help: string
  /** Node fields that may override it for one node, nearest last; e.g. ['driver_info', 'instance_info']. */
  perNode?: readonly NodeField[]
  /** How these fields call it, when a node's field of the option's own name would say too little. */
  perNodeName?: string
  /**
   * Of an option that names a file or folder: `trust`, what lies there is run or believed; `secret`, it also holds
   * secrets. A start is refused when others may write it, as sshd does with keys; a secret that others may read is
   * warned of.
   */
  holds?: 'trust' | 'secret'
} & (
  | { type: 'string'; default?: string; choices?: readonly string[]; format?: Format }
  | { type: 'integer'; default?: number; min?: number; max?: number; unit?: string }
  | { type: 'boolean'; default?: boolean }
  | { type: 'list'; default?: readonly string[]; separator?: ',' | ';'; format?: Format }
)
/**
 * What a text has to be: an absolute path; that, or True or False; an http or https URL; an IPv4 address; an IPv4 or
 * IPv6 network in CIDR notation, or an address. Of a list: each of its items.
 */
type Format = 'path' | 'path or boolean' | 'url' | 'IPv4 address' | 'network'
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

/**
 * What a step returned. `wait` is written to the store, with a deadline of [conductor] deploy_callback_timeout (or
 * clean_), and frees the node: the next sign of life calls `resume`, also after a restart of the appliance. The node is
 * then in `wait call-back` or `clean wait`.
 * - agent-boot: the machine was started into the agent; its first heartbeat goes on
 * - agent-command: the agent works on the command that this step gave it
 * - callback: something else on the machine (an installer) will report to `task.callback`
 */
export type StepResult = { done: true } | { wait: 'agent-command' | 'agent-boot' | 'callback'; note?: string }

/** One step of the deploy interface: in a deploy, or in a cleaning. */
export type Step<O extends Options = Options> = {
  /** Name as the API shows it in `deploy_step`; snake_case, unique within the interface. */
  step: string
  /**
   * Higher runs first; 0 = only when deploy_steps or clean_steps ask for it. A deploy's core steps stand at 100, 60,
   * 40, 30, 20.
   */
  priority: number
  /** Of a clean step: an operator may abort it halfway. Left out: it is ended first. */
  abortable?: boolean
  /** Arguments that deploy_steps or clean_steps of the API may give, name to meaning. Others are refused. */
  argsInfo?: Readonly<Record<string, { description: string; required?: boolean }>>
  /**
   * In a service: the machine boots the agent for this step. Left out: it runs also without an agent, and the instance
   * runs on. In a deploy and a cleaning the agent is up in any case.
   */
  requiresAgent?: true
  /**
   * Cut off in `run` by a restart of the appliance, the step is run once more from its beginning.
   * Left out: the node becomes `deploy failed` or `clean failed`, with the reason.
   */
  again?: boolean
  /**
   * Does the step, or starts it and returns what it waits for. Anything thrown becomes the node's last_error.
   * Fails when it neither ends nor calls `progress` for [conductor] deploy_callback_timeout (or clean_).
   */
  run(task: Task<O>, args: Json): Promise<StepResult>
  /**
   * Called for each sign of life while this step waits. Left out: done once the agent has booted, once the command
   * given has succeeded, or once the callback says `end`; failed with its error otherwise.
   */
  resume?(task: Task<O>, sign: SignOfLife): Promise<StepResult>
}
/**
 * `commands`: all that the agent remembers, oldest first. `command`: the one that this step gave it, when there is one.
 */
export type SignOfLife =
  | { from: 'agent'; waited: 'agent-command' | 'agent-boot'; commands: readonly AgentCommand[]; command?: AgentCommand }
  | { from: 'callback'; status: 'start' | 'end' | 'error'; message?: string }
/** As the agent tells it, untrusted: `result` may be anything, `error` is a text of at most a few KiB. */
export type AgentCommand = {
  id: string
  /** Without its extension: execute_deploy_step, not deploy.execute_deploy_step. */
  name: string
  status: 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'VERSION_MISMATCH'
  result?: unknown
  error?: string
}
export type InBandStep = { interface: string; step: string; priority: number }

/** Everything a step may touch. Handed in, never imported: so a plugin folder needs no node_modules. */
export type Task<O extends Options = Options> = {
  /**
   * Frozen, as it was when this task was made. Secrets are in plain here, and masked wherever the appliance shows them.
   */
  readonly node: Readonly<{
    uuid: string
    name: string | null
    driver: string
    properties: Json
    driver_info: Json
    instance_info: Json
    extra: Json
    /** {}: none is set. */
    target_raid_config: Json
  }>
  /** The plugin's options with this node's overrides applied. */
  readonly options: Values<O>
  readonly log: Readonly<Record<'debug' | 'info' | 'warn' | 'error', (message: string, fields?: Json) => void>>
  /** Aborted on node abort, on timeout and on shutdown. Hand it to everything that can take long. */
  readonly signal: AbortSignal
  readonly power: {
    /** Resolves when the machine is on. Errors of the BMC come as they are: the operator reads them. */
    on(): Promise<void>
    /** Resolves when the machine is off. The agent is forgotten with it: its token, address and certificate. */
    off(o?: { soft?: boolean }): Promise<void>
    /** Sets the boot device; `persistent` (default: for disk) keeps it beyond the next boot. */
    bootFrom(device: 'disk' | 'network' | 'cdrom', o?: { persistent?: boolean }): Promise<void>
    /** Asks the BMC. null: it cannot be told. */
    state(): Promise<'power on' | 'power off' | 'error' | null>
    /** The machine must not be switched off, or would not come on again: it is rebooted in the end. */
    readonly staysOn: boolean
  }
  readonly boot: MachineBoot
  readonly agent: {
    /** Where the agent listens, once it has called; its host is the machine's address. */
    readonly url: string | undefined
    /**
     * What the layers of our ramdisk told of themselves in this boot (pxe/agent-api, `Start`), by layer; `{ error }` of
     * one that could not start. Untrusted: JSON of the machine's, of any shape. A stock agent tells none.
     */
    readonly facts: Readonly<Record<string, Json>>
    /**
     * Gives the agent a command, e.g. run('standby.sync', {}, { wait: true }).
     * `wait`: the answer comes when the command has ended (commands of seconds only); a failed one throws.
     * Else it is RUNNING: return `{ wait: 'agent-command' }`.
     * @throws AgentFailure  no answer within [agent] command_timeout and its attempts, refused, or nonsense
     */
    run(command: string, params: Json, o?: { wait?: boolean }): Promise<AgentCommand>
    /**
     * Has the agent execute a deploy step (in a cleaning: a clean step) of its own; to be returned from `run`. An agent
     * that is busy is waited for.
     */
    execute(step: { interface: string; step: string; args: Json }): Promise<StepResult>
    /** The deploy or clean steps that the agent offers; empty before its first heartbeat. */
    steps(): readonly InBandStep[]
  }
  /**
   * The steps of the procedure under way, in the order in which they run, those that are over included: the plugin's,
   * what was asked for, and the agent's once it has told them. Empty before that.
   */
  readonly plan: () => readonly InBandStep[]
  readonly disk: {
    /** What is wrong with the node's root device hints, by which the agent chooses its disk. Touches no machine. */
    validate(): void
  }
  readonly images: Images
  /** Container images, by way of this appliance's mirror; undefined: [registry] enabled is false. */
  readonly registry?: ContainerRegistry
  /** undefined: this appliance cannot start virtual machines, or is not to. */
  readonly guest?: Guest
  /** Shown in the log and the pages; cheap to call often. */
  readonly progress: (p: Progress) => void
  readonly configDrive: {
    /**
     * base64 of a gzipped ISO9660 volume `config-2`, or an http(s) URL of such a text; undefined when the deploy has
     * none.
     */
    encoded(): Promise<string | undefined>
    /**
     * Its files, whoever made it: openstack/latest/meta_data.json... Sorted by path; none when the deploy has no drive.
     * @throws a drive that cannot be read, or a name that is not plain
     */
    files(): Promise<readonly ConfigDriveFile[]>
  }
  /** For installers that report by themselves: they POST {callback_url: "", agent_token, agent_status} to `url`. */
  readonly callback: {
    readonly url: string
    /** Made at the first call, good until the machine is powered off. */
    token(): Promise<string>
  }
  /** What this plugin kept with `keep` for this deploy; gone when the deploy has ended. JSON values only. */
  readonly kept: Json
  /** Adds to `kept`; resolves when it survives a restart. */
  keep(values: Json): Promise<void>
  /**
   * Runs a program with a clean environment, without a shell. It ends with all processes that it started: when `signal`
   * is aborted, when its time is over, and by itself. After a SIGKILL of the appliance they end at the next start.
   * `onLine` gets each line of its standard output and error. @throws with the end of what it wrote to standard error
   */
  readonly exec: (file: string, args: readonly string[], o?: ExecOptions) => Promise<{ stdout: string }>
  /**
   * Looks, for `validate`: which of these are not on the box. `programs`: names or absolute paths; `files`: absolute
   * paths of files that the appliance can read.
   */
  readonly missing: (wanted: { programs?: readonly string[]; files?: readonly string[] }) => Promise<readonly string[]>
  /**
   * Does the work when less than `limit` of this plugin's nodes are at theirs. The others wait in the order in which
   * they came, and their progress says so. One `limit` for all of them.
   */
  readonly inTurn: <T>(limit: number, work: () => Promise<T>) => Promise<T>
  /**
   * Absolute path of a folder for this node's procedure, made at the first call: for keys, inventories and logs that a
   * program needs as files.
   * Mode 0700. It survives a restart of the appliance, and is removed after `cleanUp`. @throws Error  no procedure runs
   * (in `validate`)
   */
  readonly folder: () => Promise<string>
  /**
   * A boolean in the words that Ironic takes, of any field: true, "True", 1, "yes", "off"...
   * @returns undefined: it is none. Whether that is refused is the plugin's affair
   */
  readonly readBoolean: (value: unknown) => boolean | undefined
  /**
   * The text that a Jinja2 template makes of variables. The template may be a stranger's: it reads no file, runs no
   * code, and ends: at most 256 KiB of it, 1 MiB of text, 20 s. A variable that there is not is an error, as in
   * Jinja2's StrictUndefined.
   * @param o.name  how messages call the template, e.g. where a person wrote its address
   * @throws with the line; the message repeats nothing of the variables
   */
  readonly render: (template: string, variables: Json, o: { name: string }) => Promise<string>
  /**
   * An error in the operator's words: `throw task.failure('…')`. Becomes the node's last_error; 400 when thrown in
   * `validate`.
   */
  readonly failure: (message: string, cause?: unknown) => Error
}

/** `path`: relative, of letters, digits and ._- only. */
export type ConfigDriveFile = { path: string; content: Uint8Array }

/**
 * A program gets no capabilities and no core dump, also where the appliance runs as root; and of the appliance's
 * state_path and configuration it sees its `cwd`, the node's `folder()`, and what is named here.
 */
export type ExecOptions = {
  cwd?: string
  /** Files and folders that it reads. */
  reads?: readonly string[]
  /** Folders that it writes to; made when they are not there. */
  writes?: readonly string[]
  env?: Record<string, string>
  timeout_s?: number
  /**
   * For its standard input, which is empty otherwise: where secrets go, as others can read a command line. Told to no
   * log.
   */
  input?: string | Uint8Array
  onLine?(line: string): void
}

/** Ready-made steps, and what steps are made of; a plugin composes them instead of inheriting from another plugin. */
export type Kit<O extends Options = Options> = {
  /**
   * deploy 100, prepare_instance_boot 60, tear_down_agent 40, switch_to_tenant_network 30, boot_instance 20.
   * @param o.without  names of those to leave out, because the plugin brings its own
   */
  agentFlow(o?: { without?: readonly string[] }): Step<O>[]
  /**
   * The argument image_info of the agent's write_image, for a whole-disk image: address, format, checksum, smaller
   * variants.
   * @param o.id  how the agent calls the image on its screen
   */
  imageInfo(image: ServedImage, o: { id: string; node_uuid: string }): Json
}

/** What runs steps on a machine. */
export type ProcedureKind = 'deploy' | 'clean' | 'service' | 'inspect' | 'rescue' | 'verify'

/** Written so that a plugin with options of its own is still a DeployPlugin. */
export type LayersOf<O extends Options> = {
  /**
   * @param given.procedure  for which the machine boots the agent
   * @param given.kept  as Task.kept: empty before the first `keep` of a procedure
   */
  of(given: { node: Task<O>['node']; options: Values<O>; kept: Json; procedure: ProcedureKind }): readonly string[]
}['of']

/**
 * A way to put an operating system on a machine; the default export of the plugin's entry file.
 * Order of life: options read > validate > prepare > steps by priority > cleanUp. While an agent is up (`usesAgent`),
 * the steps that the agent itself offers with a priority from 41 to 99 run too, unless a step of the plugin has the
 * same name.
 */
export type DeployPlugin<O extends Options = Options> = {
  apiVersion: ApiVersion
  /** The `deploy_interface` value; must equal the manifest's. */
  name: string
  options: O
  /** Node properties that users may set, name to help text; served at /v1/drivers/<driver>/properties. */
  properties?: Readonly<Record<string, string>>
  /** Secrets of the node that this plugin tells to whoever answers at an address, beside Ironic's own of images. */
  boundSecrets?: readonly BoundSecrets[]
  /**
   * Ramdisk layers that this plugin's folder brings (`layers/<name>/`), loaded over the core only for nodes that use
   * it; e.g. ['podman'].
   * A list is for each procedure that boots the agent, a cleaning too. A function chooses for one node and procedure;
   * it is asked at each boot, does no work, and what it throws fails the boot.
   */
  ramdiskLayers?: readonly string[] | LayersOf<O>
  /**
   * Whether a node is this interface's own, by what its record says. Asked by the appliance where another interface
   * leaves the choice to it (`switchesTo`), at any time; no side effects. Left out: any node is.
   * @source Ironic drivers/base.py DeployInterface.supports_deploy
   */
  supports?(node: Task<O>['node']): boolean
  /**
   * Makes this an interface that only chooses: names of deploy interfaces, at least one. When a procedure begins, the
   * node is switched to the first that `supports` it, or to the last, and back after its cleaning. `validate`,
   * `prepare` and `cleanUp` are then never called, and `deploySteps` gives none.
   * @source Ironic drivers/base.py DeployInterface.switch_interface, restore_interface
   */
  switchesTo?(options: Values<O>): readonly string[]
  /** False: no agent is booted; the plugin drives boot and power itself. */
  usesAgent: boolean
  /**
   * False: its nodes are only records. No procedure boots the agent, a cleaning neither: steps of the node's other
   * interfaces run without it. Left out: true.
   */
  hasMachine?: boolean
  /**
   * Throws with what is missing, in the operator's words. No side effects; called by the validate API and before a
   * deploy.
   */
  validate(task: Task<O>): Promise<void>
  /** May be called again after a restart: must be idempotent. The machine may still run its old system. */
  prepare?(task: Task<O>): Promise<void>
  /**
   * As `prepare`, when a cleaning begins: what `cleanSteps` has to know of the node beforehand, such as a file of
   * steps, is looked up here and kept (`task.keep`). What it throws fails the cleaning.
   */
  prepareClean?(task: Task<O>): Promise<void>
  /** Describes; has no side effects, and gives the same list each time. */
  deploySteps(kit: Kit<O>): readonly Step<O>[]
  /**
   * What this plugin has to do when a machine is cleaned, beside the agent's own clean steps; describes, as deploySteps
   * does.
   * The agent is up then; steps with a priority run in each automated cleaning, those of 0 when they are asked for.
   * @param kept  what `prepareClean` kept for this cleaning: the same list each time for the same; {} when none is
   * under way
   */
  cleanSteps?(kit: Kit<O>, kept: Json): readonly Step<O>[]
  /** The same for a machine in service: steps run when they are asked for, in the order of the request. */
  serviceSteps?(kit: Kit<O>, kept: Json): readonly Step<O>[]
  /**
   * When a machine is adopted that somebody else has deployed: what it boots from this box at each start. Left out: it
   * boots from its disk. Nothing is switched. What it throws fails the adoption.
   */
  adopt?(task: Task<O>): Promise<void>
  /**
   * Always runs: after success, failure, abort and tear down; with `cleanSteps` after a cleaning, too. Idempotent; may
   * run without `prepare` before it.
   */
  cleanUp?(task: Task<O>): Promise<void>
  /**
   * What the plugin misses on this box, in one sentence with what to do; undefined: nothing. Shown in /healthz, where
   * it makes nothing unhealthy. Has 10 s; asked once in a while.
   */
  health?(box: { options: Values<O> } & Pick<Task<O>, 'exec' | 'missing' | 'signal'>): Promise<string | undefined>
}
