/**
 * When a node may be changed, and what else a change brings with it. Given the node as it is and as it shall be;
 * touches nothing.
 */
import { isInTransition } from '../../../conductor/states/update-allowed.ts'
import { Conflict, InvalidParameterValue } from '../../../errors.ts'
import type { Node, ProvisionState } from '../../../records/kinds/node.ts'

/** In which interfaces and resource_class may be changed. @source Ironic conductor/manager.update_node */
const OPEN_STATES: readonly ProvisionState[] = ['enroll', 'inspecting', 'inspect wait', 'manageable', 'available']

/** @throws Conflict  the node is on its way from one state to another */
export function checkUpdatable(node: Node, ident: string, minor: number): void {
  if (isInTransition(node)) {
    throw new Conflict(`Node ${ident} can not be updated while a state transition is in progress.`)
  }
  if (node.provision_state === 'inspecting' && minor >= 39) {
    throw new Conflict(`Cannot update node "${node.uuid}" while it is in state "inspecting".`)
  }
}

/** @throws Conflict, InvalidParameterValue  @returns what changes besides */
export function checkChange(node: Node, change: Partial<Node>): Partial<Node> {
  const after = { ...node, ...change }
  checkStates(node, change)
  checkReason(after, change, 'protected', 'protected_reason')
  checkReason(after, change, 'retired', 'retired_reason')
  if (change.instance_uuid && node.instance_uuid) {
    throw new Conflict(`Node ${node.uuid} is associated with instance ${node.instance_uuid}.`)
  }
  if (change.instance_uuid === null && node.allocation_uuid) checkFreed(node)
  if (change.driver !== undefined && node.console_enabled) {
    throw new Conflict(
      `Node ${node.uuid} can not update the driver while the console is enabled. Please stop the console first.`,
    )
  }
  return {
    ...(change.instance_uuid === null ? { allocation_uuid: null } : {}),
    ...(change.maintenance === false ? { maintenance_reason: null, fault: null } : {}),
    ...(change.protected === false ? { protected_reason: null } : {}),
    ...(change.retired === false ? { retired_reason: null } : {}),
    ...instanceName(after, change),
  }
}

/** @source Ironic conductor/manager.update_node */
function checkFreed({ uuid, maintenance, provision_state: state }: Node): void {
  if (maintenance || OPEN_STATES.includes(state)) return
  throw new Conflict(
    `Node ${uuid} with an allocation can not have instance_uuid removed unless it is in one of allowed ` +
      `(${OPEN_STATES.join(', ')}) states or in maintenance mode. Current state is '${state}'.`,
  )
}

function checkStates(node: Node, change: Partial<Node>): void {
  const { uuid, provision_state: state } = node
  if (change.protected && state !== 'active' && state !== 'rescue') {
    throw new Conflict(
      `Node ${uuid} can only be made protected in provision states 'active' or 'rescue', the current state is '${state}'`,
    )
  }
  if (change.retired && state === 'available') {
    throw new Conflict(
      `Node ${uuid} can not have 'retired' set in provision state 'available', the current state is '${state}'`,
    )
  }
  if (OPEN_STATES.includes(state)) return
  const changed = Object.entries(change.interfaces ?? {}).find(([type, name]) => lookup(node.interfaces, type) !== name)
  if (changed && !node.maintenance) {
    throw new Conflict(
      `Node ${uuid} can not have ${changed[0]}_interface updated unless it is in one of allowed (${OPEN_STATES.join(', ')}) ` +
        `states or in maintenance mode. Current state is '${state}'.`,
    )
  }
  if (change.resource_class !== undefined && node.resource_class) {
    throw new Conflict(
      `Node ${uuid} can not have resource_class updated unless it is in one of allowed (${OPEN_STATES.join(', ')}) states. ` +
        `Current state is '${state}'.`,
    )
  }
}

const lookup = (record: Readonly<Record<string, string>>, key: string): string | undefined => record[key]

function checkReason(
  after: Node,
  change: Partial<Node>,
  flag: 'protected' | 'retired',
  reason: 'protected_reason' | 'retired_reason',
): void {
  if (change[reason] && !after[flag]) {
    throw new InvalidParameterValue(`The ${reason} field can only be set when ${flag} is True`)
  }
}

/** Clients of before 1.104 keep the name in instance_info. @source Ironic NodesController.patch */
function instanceName(after: Node, change: Partial<Node>): Partial<Node> {
  const { display_name } = change.instance_info ?? {}
  return !after.instance_name && typeof display_name === 'string' && display_name !== ''
    ? { instance_name: display_name.slice(0, 255) }
    : {}
}
