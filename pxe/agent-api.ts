/**
 * What a layer's deploy steps, and what it starts, are handed by our agent. Types only: importing this file costs
 * nothing at run time.
 */

/** Of steps/index.ts: `export const steps: Steps = {...}`. A name is the step's, as the agent offers it. */
export type Steps = Readonly<Record<string, LayerStep>>
export type LayerStep = {
  /**
   * 41 to 99: runs in every deploy with this layer, unless the plugin has a step of that name. 0: only when it is
   * asked for.
   */
  priority: number
  /** Arguments that deploy_steps of the API may give, name to meaning. The appliance refuses others. Left out: none. */
  argsInfo?: Readonly<Record<string, { description: string; required?: boolean }>>
  /** @returns JSON, the command's result. What it throws is what the operator reads: a sentence. */
  run(agent: StepAgent, args: Readonly<Record<string, unknown>>, context: StepContext): Promise<unknown>
}

/**
 * Of steps/index.ts: `export const start: Start = async (agent) => {...}`. Called once each time that the agent itself
 * starts, before its first heartbeat; again in the same boot when the agent had ended: it must be idempotent. 60 s at
 * most. What it throws is on the screen, and told as `{ error }`; the agent goes on.
 * @returns JSON of at most 8 KiB, nothing secret: goes with each heartbeat to a Rackstrap appliance, where plugins read
 * it as `task.agent.facts[LAYER]`. What a layer has told stays its word for this boot: another value is refused
 */
export type Start = (agent: StepAgent) => Promise<Facts | undefined>
export type Facts = Readonly<Record<string, unknown>>

export type StepProgress = { note: string; done?: number; total?: number; unit?: 'bytes' | 'steps' }
export type StepContext = {
  /** Shown by the appliance and on the machine's screen; cheap to call often. */
  progress(progress: StepProgress): void
}

/** The machine and the agent on it. */
export type StepAgent = {
  /** In front of every path of the machine; `/` on a real one, a folder in tests. */
  readonly root: string
  readonly programs: StepPrograms
  readonly screen: {
    /** A line that stays, on every console and in the agent's log. */
    say(text: string): void
    /** A line that the next one replaces. */
    progress(text: string): void
    /** For the log only. */
    note(text: string): void
  }
  /**
   * The node as the appliance sent it with this step: properties, instance_info, driver_info, with secrets. In `start`,
   * what the lookup told of it.
   */
  readonly node: Readonly<Record<string, unknown>>
  /**
   * The disk that the operating system goes to, by the node's root device hints.
   * @param hints  instead of the node's; {}: the node's
   * @throws an error for the operator, with all disks that there are; or that it carries a cluster file system, which
   * others may be using
   */
  rootDevice(hints?: Readonly<Record<string, unknown>>): Promise<StepDisk>
  /**
   * The disks that a cleaning may erase: without those that the node's skip_block_devices names.
   * @throws an error for the operator: one of them carries a cluster file system, so none is to be erased
   */
  erasableDisks(): Promise<StepDisk[]>
  /** Has the kernel read the disk's partition table again. @throws Error  it does not */
  rereadPartitions(disk: Pick<StepDisk, 'name'>): Promise<void>
  /**
   * Writes a config drive into its partition, made at the disk's end when there is none: 64 MiB, or what is free if
   * that is less.
   * @param text  as `task.configDrive.encoded()` gives it: base64 of a gzipped volume, or its http(s) URL
   * @returns number of the partition
   */
  writeConfigDrive(disk: Pick<StepDisk, 'name'>, text: string): Promise<number>
}

export type StepDisk = {
  /** /dev/vda */
  name: string
  size_bytes: number
  logical_sector_bytes: number
  model: string | null
  serial: string | null
  rotational: boolean
}

export type StepPrograms = {
  /**
   * Runs a program of the ramdisk, from usr/bin or usr/sbin, with all processes that it starts.
   * @returns standard output, of which at most 8 MiB are kept
   * @throws Error  one sentence with the end of what it wrote to standard error, or that it took too long
   */
  run(name: string, args: readonly string[], o?: RunOptions): Promise<string>
}
export type RunOptions = {
  /** 60 when left out; then it is killed. */
  timeout_s?: number
  /**
   * Each line of standard output and error as it comes, carriage returns as line ends, at most 4 KiB of it, control
   * characters as they are.
   */
  onLine?(line: string, from: 'stdout' | 'stderr'): void
  /** For its standard input, which is empty otherwise. */
  input?: string
  /** Beside the agent's own environment. */
  env?: Readonly<Record<string, string>>
  /** Aborted: it is killed, and `signal.reason` is thrown. */
  signal?: AbortSignal
}
