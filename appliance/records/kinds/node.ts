/** The node record: Ironic's fields by Ironic's names, and what the conductor must find again after a restart. */
import type { Json } from '../../plugin-api/index.ts'
import type { PowerState } from '../../plugin-api/interfaces.ts'
import { type Base, type Kind, newRecord } from '../kind.ts'
import type { InternalInfo } from './internal-info.ts'

/** @source Ironic states.py; the verbs that lead from one to the next are in conductor/states/state-machine.ts. */
export type ProvisionState =
  | 'enroll'
  | 'verifying'
  | 'manageable'
  | 'available'
  | 'cleaning'
  | 'clean wait'
  | 'clean hold'
  | 'clean failed'
  | 'inspecting'
  | 'inspect wait'
  | 'inspect failed'
  | 'adopting'
  | 'adopt failed'
  | 'deploying'
  | 'wait call-back'
  | 'deploy hold'
  | 'deploy failed'
  | 'active'
  | 'deleting'
  | 'error'
  | 'rescue'
  | 'rescuing'
  | 'rescue wait'
  | 'rescue failed'
  | 'unrescuing'
  | 'unrescue failed'
  | 'servicing'
  | 'service wait'
  | 'service hold'
  | 'service failed'

/** What a node waits for. Kept in the store: after a restart the node goes on from here, or fails at the deadline. */
export type Wait = {
  /** `heartbeat`: of the agent, whatever it does. `time`: the node goes on at the deadline. */
  for: 'agent-command' | 'agent-boot' | 'callback' | 'report' | 'heartbeat' | 'time'
  /** ISO 8601. Past it, the node fails with the reason. */
  deadline: string
  note?: string
}

export type Node = Base & {
  name: string | null
  description: string | null
  driver: string
  driver_info: Json
  /** Interfaces of plugins remember things under names of their own. */
  driver_internal_info: InternalInfo & Json
  properties: Json
  instance_info: Json
  instance_uuid: string | null
  instance_name: string | null
  /** The allocation that the instance_uuid comes from, which is the same. */
  allocation_uuid: string | null
  extra: Json
  network_data: Json
  resource_class: string | null
  conductor_group: string
  owner: string | null
  lessee: string | null
  shard: string | null
  parent_node: string | null
  chassis_uuid: string | null
  provision_state: ProvisionState
  target_provision_state: ProvisionState | null
  provision_updated_at: string | null
  power_state: PowerState | null
  target_power_state: PowerState | null
  last_error: string | null
  fault: string | null
  maintenance: boolean
  maintenance_reason: string | null
  protected: boolean
  protected_reason: string | null
  retired: boolean
  retired_reason: string | null
  automated_clean: boolean | null
  disable_power_off: boolean
  console_enabled: boolean
  boot_mode: string | null
  secure_boot: boolean | null
  /** Host name of the conductor that holds the node, or null. */
  reservation: string | null
  /** The step under way: {step, interface, priority, args?}; {} or null when there is none. */
  deploy_step: Json
  clean_step: Json
  service_step: Json
  raid_config: Json
  target_raid_config: Json
  traits: readonly string[]
  inspection_started_at: string | null
  inspection_finished_at: string | null
  /**
   * Chosen at creation from the enabled ones, e.g. {deploy: 'direct', power: 'ipmitool', ...}; in the API as
   * deploy_interface, ...
   */
  interfaces: Readonly<Record<InterfaceType, string>>
  /** Never in an answer of the API. */
  wait: Wait | null
}
export const INTERFACE_TYPES = [
  'bios',
  'boot',
  'console',
  'deploy',
  'firmware',
  'inspect',
  'management',
  'network',
  'power',
  'raid',
  'rescue',
  'storage',
  'vendor',
] as const
export type InterfaceType = (typeof INTERFACE_TYPES)[number]

const DEFAULTS = {
  name: null,
  description: null,
  driver_info: {},
  driver_internal_info: {},
  properties: {},
  instance_info: {},
  instance_uuid: null,
  instance_name: null,
  allocation_uuid: null,
  extra: {},
  network_data: {},
  resource_class: null,
  conductor_group: '',
  owner: null,
  lessee: null,
  shard: null,
  parent_node: null,
  chassis_uuid: null,
  provision_state: 'enroll',
  target_provision_state: null,
  provision_updated_at: null,
  power_state: null,
  target_power_state: null,
  last_error: null,
  fault: null,
  maintenance: false,
  maintenance_reason: null,
  protected: false,
  protected_reason: null,
  retired: false,
  retired_reason: null,
  automated_clean: null,
  disable_power_off: false,
  console_enabled: false,
  boot_mode: null,
  secure_boot: null,
  reservation: null,
  deploy_step: {},
  clean_step: {},
  service_step: {},
  raid_config: {},
  target_raid_config: {},
  traits: [],
  inspection_started_at: null,
  inspection_finished_at: null,
  wait: null,
} as const satisfies Partial<Node>

/** The row of nodes. Sentences are Ironic's. */
export const NODES: Kind<Node, 'name' | 'instance_uuid', 'chassis_uuid'> = {
  noun: 'Node',
  defaults: DEFAULTS,
  unique: {
    name: { conflict: ({ name }) => `A node with name ${name} already exists.` },
    instance_uuid: {
      conflict: ({ instance_uuid, uuid }) =>
        `Instance ${instance_uuid} is already associated with a node, it cannot be associated with this other node ${uuid}`,
    },
  },
  indexes: ['chassis_uuid'],
  groups: [{ kind: 'chassis', field: 'chassis_uuid' }],
  // A reservation belongs to a task, and no task survives the process.
  volatile: { reservation: null },
}

/** A node of which only these fields are known; the others are as in a node just enrolled. */
export const newNode = (fields: Partial<Node> & Pick<Node, 'driver' | 'interfaces'>): Node => newRecord(NODES, fields)
