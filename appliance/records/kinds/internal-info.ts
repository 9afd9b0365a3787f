/** driver_internal_info: what the appliance must find again after a restart, by its names on disk and in the API. */
import type { NodePath } from '../../plugin-api/bound-secrets.ts'
import type { InBandStep, Json, ProcedureKind } from '../../plugin-api/index.ts'

export const PROCEDURE_KINDS = [
  'deploy',
  'clean',
  'service',
  'inspect',
  'rescue',
  'verify',
] as const satisfies readonly ProcedureKind[]

/** A step as a request asks for it. Its priority is 0 where the order of the request counts. */
export type AskedStep = { interface: string; step: string; priority: number; args: Json }
/** A step of a plan. `abortable`: told of some procedures alone. */
export type PlannedStep = AskedStep & { abortable?: boolean }
/** A step as the agent tells of it. */
export type OfferedStep = InBandStep & {
  reboot_requested: boolean
  /** Clean steps alone have it: the step can be stopped halfway. */
  abortable?: boolean
  argsinfo: Readonly<Record<string, { description: string; required?: boolean }>>
}

/** What of one procedure is in driver_internal_info. */
export type ProcedureInfo = {
  /** All steps, those that are over first. */
  plan: readonly PlannedStep[]
  /** Of the step under way in the plan; -1: none has begun. */
  index: number
  /** When that step began, in ISO 8601. */
  started_at: string
  /** What the request asked for. */
  user: readonly AskedStep[]
  /** What the plugin stores with `task.keep`. */
  kept: Json
  /** The procedure has failed, and its machine may still be on. */
  cleanup_pending: boolean
  /** What the agent offers. */
  offered: readonly OfferedStep[]
}
/** Their names, for each kind of procedure. */
type ProcedureKeys<K extends ProcedureKind> = {
  plan: `${K}_steps`
  index: `${K}_step_index`
  started_at: `${K}_step_started_at`
  user: `user_${K}_steps`
  kept: `${K}_kept`
  cleanup_pending: `${K}_cleanup_pending`
  offered: `agent_cached_${K}_steps`
}
type OfProcedures = {
  [F in keyof ProcedureInfo as ProcedureKeys<ProcedureKind>[F]]?: ProcedureInfo[F]
}

/** Of the agent that looked itself up; removed when its machine is switched off. */
type AgentInfo = {
  /** Where the agent listens; empty: it is an installer, which only reports. */
  agent_url?: string
  /** Made at lookup, given out once. */
  agent_secret_token?: string
  /** The agent's own certificate, in PEM. */
  agent_verify_ca?: string
  /** What the layers of the deploy ramdisk told of themselves, by layer; the first word of each counts. */
  agent_layer_facts?: Json
  /** Of the deploy ramdisk that its machine was started with. */
  agent_layers?: readonly string[]
  /** Of the agent's hardware managers: sent back with each step. */
  hardware_manager_version?: Json
  /** The command that the agent works on, and the node waits for. */
  agent_command_id?: string
}

export type InternalInfo = OfProcedures &
  AgentInfo & {
    /** ISO 8601. */
    agent_last_heartbeat?: string
    agent_version?: string
    /** What an installer reported last: start, end or error. */
    agent_status?: string
    agent_status_message?: string
    /** Secrets that went when the address that they were given for changed, and that nobody gave anew. */
    lost_with_address?: readonly { field: NodePath; address: NodePath }[]
    /** By secret, the address that went with the last instance: the secret stays bound to it until it is given anew. */
    bound_to?: Readonly<Partial<Record<NodePath, string>>>
    /** What the node holds in the registry mirror; an index has another manifest_digest. */
    container_image?: { reference: string; digest: string; manifest_digest: string }
    /** The deploy under way has brought container_image. */
    container_image_deployed?: boolean
    /** What the node is switched back to after its cleaning: the interface that chose its deploy interface. */
    original_deploy_interface?: string
    /** The cleaning's steps need no agent. */
    cleaning_disable_ramdisk?: boolean
    /** The lessee came with the instance, and goes with it. */
    automatic_lessee?: boolean
    /** The service is to boot no agent. */
    service_disable_ramdisk?: boolean
    /** The service has started the machine into the agent: its instance is to be started again. */
    service_boots_agent?: boolean
    /** For BMCs that forget their boot device over a power cycle. */
    persistent_boot_device?: string
    /** bios or uefi. */
    deploy_boot_mode?: string
    /** Who asked as its machine and was not it: how many times that was told, what was told last, and when. */
    refused_strangers?: { count: number; last: string; at: string }
    /** An unknown machine that [auto_discovery] had enrolled. */
    auto_discovered?: boolean
    /** A rule has said what the node goes on to once it is inspected. */
    after_inspection?: 'manageable' | 'available' | 'active'
    /** Ironic's, in records that come from it: removed with the instance. */
    instance?: unknown
    root_uuid_or_disk_id?: unknown
    is_whole_disk_image?: unknown
  } & EraseInfo

/** How the agent erases disks. @source Ironic deploy_utils.agent_add_clean_params */
export type EraseInfo = {
  agent_erase_devices_iterations?: number
  agent_erase_devices_zeroize?: boolean
  agent_continue_if_secure_erase_failed?: boolean
  agent_continue_if_ata_erase_failed?: boolean
  agent_enable_nvme_secure_erase?: boolean
  agent_enable_ata_secure_erase?: boolean
  disk_erasure_concurrency?: number
  agent_erase_skip_read_only?: boolean
}

/** A change: undefined takes a key away. */
export type InternalChange = { [K in keyof InternalInfo]?: InternalInfo[K] | undefined }
