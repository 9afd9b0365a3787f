/**
 * The contracts of Ironic's interfaces other than deploy: what an implementation brings, and what it is handed at each
 * call. Types only.
 * @source Ironic drivers/base.py
 */
import type { BoundSecrets } from './bound-secrets.ts'
import type { ApiVersion, Json, Options, ProcedureKind, SignOfLife, Step, StepResult, Task, Values } from './index.ts'
import type {
  BiosSetting,
  BootDevice,
  BootMode,
  FirmwareComponent,
  IndicatorComponent,
  IndicatorState,
  Indicators,
  RaidConfig,
  Sensors,
  VirtualMedia,
  VirtualMediaDevice,
} from './machine.ts'

export type {
  BiosSetting,
  BootDevice,
  BootMode,
  FirmwareComponent,
  Indicator,
  IndicatorComponent,
  IndicatorState,
  Indicators,
  RaidConfig,
  Sensors,
  VirtualMedia,
  VirtualMediaDevice,
} from './machine.ts'

export type PowerState = 'power on' | 'power off' | 'error'
export type PowerTarget = 'power on' | 'power off' | 'rebooting' | 'soft power off' | 'soft rebooting'

/** What an implementation is handed at each call. */
export type InterfaceTask<O extends Options = Options> = {
  /**
   * Frozen, as it was when this task was made. Secrets are in plain here, and masked wherever the appliance shows them.
   */
  readonly node: Task['node'] &
    Readonly<{ driver_internal_info: Json; power_state: PowerState | null; disable_power_off: boolean }>
  /** The plugin's options with this node's overrides applied; {} for what comes with the appliance. */
  readonly options: Values<O>
  readonly log: Task['log']
  /** Aborted at the deadline of the call, and on shutdown. Hand it to everything that can take long. */
  readonly signal: AbortSignal
  readonly agent: {
    /**
     * The agent has called since the machine was started, and its last heartbeat is not older than [api]
     * ramdisk_heartbeat_timeout.
     */
    readonly isAlive: boolean
    /** Gives the agent a command, as Task.agent.run does. @throws AgentFailure */
    run: Task['agent']['run']
  }
  readonly exec: Task['exec']
  /** Merges into the node's driver_internal_info; undefined takes a key away. Resolves when it survives a restart. */
  remember(values: Json): Promise<void>
  /** An error in the operator's words: `throw task.failure('…')`. */
  readonly failure: Task['failure']
}

/** What all implementations have. */
export type Implementation<O extends Options = Options> = {
  /** As nodes name it, e.g. 'ipmitool' in `power_interface`. */
  name: string
  /** driver_info keys, name to help text; served at /v1/drivers/<driver>/properties. */
  properties?: Readonly<Record<string, string>>
  /** Secrets of the node that this interface tells to whoever answers at an address. */
  boundSecrets?: readonly BoundSecrets[]
  /** Throws with what is missing or wrong in the node's fields, in the operator's words. Touches no machine. */
  validate(task: InterfaceTask<O>): void | Promise<void>
  /** What this interface can do in a deploy or a cleaning; the same list each time. */
  steps?: readonly InterfaceStep<O>[]
}

/** A step, and the procedures in which it may run: 'deploy' as a deploy step, 'clean' as a clean step. */
export type InterfaceStep<O extends Options = Options> = Omit<Step<O>, 'run' | 'resume'> & {
  of: readonly ProcedureKind[]
  run(task: InterfaceStepTask<O>, args: Json): Promise<StepResult>
  resume?(task: InterfaceStepTask<O>, sign: SignOfLife): Promise<StepResult>
}
/** What steps are handed, with the options of the interface's own plugin. */
export type InterfaceStepTask<O extends Options = Options> = Task<O> & Pick<InterfaceTask<O>, 'node' | 'remember'>

/** Errors of all calls but `validate` are told as they are: they become the answer, or the node's last_error. */
export type PowerInterface<O extends Options = Options> = Implementation<O> & {
  /** Left out: all. What is not here is refused before it is asked for. @source Ironic get_supported_power_states */
  supportedPowerStates?: readonly PowerTarget[]
  /**
   * False: the state is an assumption, and is not read now and then. Left out: true. @source Ironic supports_power_sync
   */
  supportsPowerSync?: boolean
  /** null: it cannot be told. */
  getPowerState(task: InterfaceTask<O>): Promise<PowerState | null>
  /**
   * Resolves when the machine is in the asked-for state; what is in it already stays. A reboot ends with 'power on'.
   */
  setPowerState(task: InterfaceTask<O>, target: PowerTarget): Promise<void>
}

/** What may be left out is refused as not supported when the API asks for it. */
export type ManagementInterface<O extends Options = Options> = Implementation<O> & {
  supportedBootDevices: readonly BootDevice[]
  /** null: the BMC does not tell, or tells of a device that Ironic has no word for. */
  getBootDevice(task: InterfaceTask<O>): Promise<{ boot_device: BootDevice | null; persistent: boolean | null }>
  /** @param persistent  beyond the next boot. Throws for a device that is not supported. */
  setBootDevice(task: InterfaceTask<O>, device: BootDevice, persistent: boolean): Promise<void>
  /** What setBootMode takes; read from the machine's own tables, or fixed. Left out: it takes none. */
  getSupportedBootModes?(task: InterfaceTask<O>): Promise<readonly BootMode[]>
  /** null: the machine does not tell. */
  getBootMode?(task: InterfaceTask<O>): Promise<BootMode | null>
  /** Counts from the next boot. Called with one of getSupportedBootModes alone. */
  setBootMode?(task: InterfaceTask<O>, mode: BootMode): Promise<void>
  /** null: the machine does not tell. */
  getSecureBoot?(task: InterfaceTask<O>): Promise<boolean | null>
  /** Counts from the next boot. */
  setSecureBoot?(task: InterfaceTask<O>, isOn: boolean): Promise<void>
  /** A non-maskable interrupt: the operating system is to write a dump. */
  injectNmi?(task: InterfaceTask<O>): Promise<void>
  getIndicators?(task: InterfaceTask<O>): Promise<Indicators>
  /** Called with what getIndicators told alone, as setIndicatorState is. */
  getIndicatorState?(task: InterfaceTask<O>, component: IndicatorComponent, name: string): Promise<IndicatorState>
  setIndicatorState?(
    task: InterfaceTask<O>,
    indicator: { component: IndicatorComponent; name: string },
    state: IndicatorState,
  ): Promise<void>
  getSensors?(task: InterfaceTask<O>): Promise<Sensors>
  getVirtualMedia?(task: InterfaceTask<O>): Promise<readonly VirtualMedia[]>
  /** What is attached as that device goes first. @param image  where the BMC itself can fetch it */
  attachVirtualMedia?(task: InterfaceTask<O>, device: VirtualMediaDevice, image: URL): Promise<void>
  /** A device without an image is no error. @param devices  left out: all */
  detachVirtualMedia?(task: InterfaceTask<O>, devices?: readonly VirtualMediaDevice[]): Promise<void>
}

/** How a machine gets the deploy ramdisk. */
export type BootInterface<O extends Options = Options> = Implementation<O> & {
  /**
   * The machine asks on the network, and is given the ramdisk there: then a node needs a port, and this box a ramdisk
   * for it.
   */
  bootsFromNetwork: boolean
  /** Called while the machine is off, or about to be rebooted: its next boot is to be the ramdisk's. */
  prepareRamdisk(task: BootTask<O>): Promise<void>
  /** Called when the ramdisk's boot is over, while the machine is off or about to be rebooted: takes media away. */
  cleanUpRamdisk?(task: InterfaceTask<O>): Promise<void>
}
export type BootTask<O extends Options = Options> = InterfaceTask<O> & {
  /**
   * By the node's management interface; one that knows no such device is noted in the log, and the machine boots by its
   * own order.
   */
  bootFrom(device: 'disk' | 'network' | 'cdrom', o: { persistent: boolean }): Promise<void>
  /**
   * Begins the boot. @returns the address of an ISO that BIOS and UEFI boot, with the deploy ramdisk and the parameters
   * of this boot; whoever knows it may fetch it, in pieces too, until the boot is over
   */
  deployIso(): Promise<URL>
}

export type InspectInterface<O extends Options = Options> = Implementation<O> & {
  /**
   * Finds out what the machine is made of. @returns what is merged into the node's properties @source Ironic
   * inspect_hardware
   */
  inspectHardware(task: InterfaceTask<O>): Promise<Json>
  /**
   * What the BMC tells of the machine, in the shape of ironic-python-agent's inventory. The hooks of [inspector] hooks
   * and the inspection rules go over it, and it becomes the node's inventory. Left out, or undefined: nothing of it.
   */
  readInventory?(task: InterfaceTask<O>): Promise<Json | undefined>
  /** True: then the machine is booted into the agent, whose report is awaited and treated in the same way. */
  usesAgent?: boolean
}

/** Its deeds are steps: create_configuration, delete_configuration, apply_configuration. */
export type RaidInterface<O extends Options = Options> = Implementation<O> & {
  /** Of a logical disk in target_raid_config, name to help text. */
  logicalDiskProperties: Readonly<Record<string, string>>
  /**
   * What target_raid_config must be besides: Ironic's schema is checked before. Left out: nothing.
   * Throws with what is wrong, in the operator's words.
   */
  validateConfiguration?(task: InterfaceTask<O>, wanted: RaidConfig): void | Promise<void>
  /**
   * What is there now. Read after each step of this interface that is done: it becomes the node's raid_config. Left
   * out: the step itself remembers nothing, and raid_config stays.
   */
  getConfiguration?(task: InterfaceTask<O>): Promise<RaidConfig>
}

/**
 * Its deeds are steps: apply_configuration (argument `settings`: a list of {name, value}), factory_reset,
 * cache_bios_settings.
 */
export type BiosInterface<O extends Options = Options> = Implementation<O> & {
  /**
   * All of the machine. Read when a node becomes manageable and after each step of this interface that is done; kept,
   * and served at /v1/nodes/{node}/bios. Left out: none are known.
   */
  getSettings?(task: InterfaceTask<O>): Promise<readonly BiosSetting[]>
}

/** Its deed is a step: update (argument `settings`: a list of {component, url}). */
export type FirmwareInterface<O extends Options = Options> = Implementation<O> & {
  /**
   * All of the machine. Read as BIOS settings are, and served at /v1/nodes/{node}/firmware, with the version that was
   * seen first and the one that was flashed last. Left out: none are known.
   */
  getComponents?(task: InterfaceTask<O>): Promise<readonly FirmwareComponent[]>
}

export type ConsoleInterface<O extends Options = Options> = Implementation<O> & {
  startConsole(task: InterfaceTask<O>): Promise<void>
  stopConsole(task: InterfaceTask<O>): Promise<void>
  /** As the API shows it, e.g. {type: 'socat', url: 'tcp://...'}. */
  getConsole(task: InterfaceTask<O>): Promise<Json>
  /** A deploy or another procedure begins: what the machine says from now on is recorded apart. */
  beginRecord?(task: InterfaceTask<O>): Promise<void>
}

export type RescueInterface<O extends Options = Options> = Implementation<O> & {
  /** The machine boots the agent for its rescue: what this needs is checked before anything changes. */
  bootsAgent?: true
  /**
   * Brings the machine into a system that lets somebody in by the password that was asked for. Its hash, as /etc/shadow
   * has it, is instance_info/hashed_rescue_password of the node while the rescue runs; the password is kept nowhere.
   * Run once more from its beginning when a restart of the appliance cut it off.
   */
  rescue(task: RescueTask<O>): Promise<StepResult>
  /** Called for each sign of life while a rescue waits, as `Step.resume`. */
  resume?(task: RescueTask<O>, sign: SignOfLife): Promise<StepResult>
  /** Brings the machine back into its instance. It may come again after a restart. */
  unrescue(task: RescueTask<O>): Promise<void>
}
export type RescueTask<O extends Options = Options> = InterfaceStepTask<O> & {
  /** Starts the machine from what it was deployed with: its disk, or this box. */
  bootInstance(): Promise<void>
}

export type VendorInterface<O extends Options = Options> = Implementation<O> & {
  /** By name, as /v1/nodes/{node}/vendor_passthru/methods shows them. */
  methods: Readonly<Record<string, VendorMethod<O>>>
  /** Of the hardware type as a whole, as /v1/drivers/{driver}/vendor_passthru/methods shows them. Left out: none. */
  driverMethods?: Readonly<Record<string, DriverVendorMethod>>
}
export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'DELETE'
export type VendorMethod<O extends Options = Options> = {
  description: string
  http_methods: readonly HttpMethod[]
  /** True: the answer does not wait for it. */
  async: boolean
  require_exclusive_lock: boolean
  /** Throws for arguments that are missing or wrong, before the answer. Left out: there is nothing to look at. */
  check?(args: Json): void
  /** @returns JSON, which is the answer unless it is async */
  call(task: InterfaceTask<O>, args: Json, http_method: HttpMethod): Promise<unknown>
}
export type DriverVendorMethod = {
  description: string
  http_methods: readonly HttpMethod[]
  async: boolean
  check?(args: Json): void
  call(args: Json, o: { http_method: HttpMethod; signal: AbortSignal }): Promise<unknown>
}

/** A rack has one network: no call is made but `validate`. */
export type NetworkInterface<O extends Options = Options> = Implementation<O>
/** Machines boot from their own disks: no call is made but `validate`. */
export type StorageInterface<O extends Options = Options> = Implementation<O>

/** By interface type, as in the API's <type>_interface. */
export type Interfaces<O extends Options = Options> = {
  bios: BiosInterface<O>
  boot: BootInterface<O>
  console: ConsoleInterface<O>
  firmware: FirmwareInterface<O>
  inspect: InspectInterface<O>
  management: ManagementInterface<O>
  network: NetworkInterface<O>
  power: PowerInterface<O>
  raid: RaidInterface<O>
  rescue: RescueInterface<O>
  storage: StorageInterface<O>
  vendor: VendorInterface<O>
}

/**
 * Default export of a plugin whose manifest says `"kind": "power"` or another of these types; `satisfies
 * InterfacePlugin<'power', typeof OPTIONS>`.
 */
export type InterfacePlugin<
  K extends keyof Interfaces = keyof Interfaces,
  O extends Options = Options,
> = Interfaces<O>[K] & {
  apiVersion: ApiVersion
  options: O
}
