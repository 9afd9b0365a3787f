/**
 * A machine's power: switched through its BMC, written to its record. Everything that must not survive power off is
 * dropped here.
 */

import { ApplianceError, BmcFailure, InvalidParameterValue, messageOf } from '../../errors.ts'
import type { BootDevice, PowerState, PowerTarget } from '../../plugin-api/interfaces.ts'
import type { Node } from '../../records/kinds/node.ts'
import { closeWindow, openWindow } from '../boot/window.ts'
import { interfaceOf, interfaceTask } from '../interfaces/interface-of.ts'
import type { Parts } from '../parts/parts.ts'
import type { NodeHandle } from '../states/node-handle.ts'

export type PowerParts = Pick<Parts, 'store' | 'log' | 'agent' | 'hardware' | 'config' | 'option_values'>

const POWER_TARGETS: readonly string[] = ['power on', 'power off', 'rebooting', 'soft power off', 'soft rebooting']
/** What a power action may take beside the wait for its machine; one command to a BMC has a limit of its own. */
const POWER_MARGIN_S = 120
export const BMC_DEADLINE_S = 60

/** An agent's traces, gone with the boot it belongs to. @source Ironic utils.wipe_internal_info_on_power_off */
const AGENT_TRACES = {
  agent_url: undefined,
  agent_secret_token: undefined,
  agent_verify_ca: undefined,
  agent_layer_facts: undefined,
  agent_layers: undefined,
  agent_cached_deploy_steps: undefined,
  agent_cached_clean_steps: undefined,
  agent_cached_service_steps: undefined,
  hardware_manager_version: undefined,
  agent_command_id: undefined,
} as const

const stateAfter = (target: PowerTarget): PowerState =>
  target === 'power off' || target === 'soft power off' ? 'power off' : 'power on'

const supports = (parts: Pick<Parts, 'hardware'>, node: Node, target: PowerTarget): boolean =>
  interfaceOf(parts, node, 'power').supportedPowerStates?.includes(target) ?? true

/** Nobody but a person can switch the machine on. */
export const isSwitchedByHand = (parts: Pick<Parts, 'hardware'>, node: Node): boolean =>
  !supports(parts, node, 'power on')

/** The machine is rebooted instead of being switched off, because it must not be off, or would not come on again. */
export const keepsPower = (parts: Pick<Parts, 'hardware'>, node: Node): boolean =>
  node.disable_power_off || isSwitchedByHand(parts, node)

/** @throws InvalidParameterValue */
export function checkPowerTarget(
  parts: Pick<Parts, 'hardware'>,
  node: Node,
  target: string,
): asserts target is PowerTarget {
  if (!POWER_TARGETS.includes(target) || !supports(parts, node, target as PowerTarget)) {
    throw new InvalidParameterValue(`The driver ${node.driver} does not support the power state, ${target}`)
  }
  if (node.disable_power_off && stateAfter(target as PowerTarget) === 'power off') {
    throw new InvalidParameterValue(`Node ${node.uuid} has disable_power_off set: it can be rebooted, not powered off.`)
  }
}

/** Of its power interface, without a deadline. @throws BmcFailure, InvalidParameterValue */
export function askPowerState(parts: PowerParts, node: Node, signal: AbortSignal): Promise<PowerState | null> {
  const power = interfaceOf(parts, node, 'power')
  return power.getPowerState(interfaceTask(parts, node, 'power', signal))
}

/** The state that the machine is in, asked of its BMC and written down; null: it cannot be told. @throws BmcFailure */
export async function readPowerState(
  parts: PowerParts,
  node: NodeHandle,
  signal: AbortSignal,
): Promise<PowerState | null> {
  const { record } = node
  const state = await limited(signal, BMC_DEADLINE_S, (limit) => askPowerState(parts, record, limit))
  if (state !== record.power_state) {
    await node.update({ power_state: state })
    parts.log.info('power changed', { node: node.uuid, power_state: state })
  }
  return state
}

/**
 * Brings the machine into the wanted state, or leaves it there. Off and reboots forget the agent.
 * @param o.isBegun  the boot of the agent has begun: who was to be forgotten is, and the number of the boot stays
 * @throws BmcFailure  the record's last_error is the caller's affair
 */
export async function setPower(
  parts: PowerParts,
  node: NodeHandle,
  target: PowerTarget,
  o: { signal: AbortSignal; timeout_s?: number; isBegun?: boolean },
): Promise<void> {
  // The agent that may have to do it is forgotten before it does.
  const before = node.record
  if (target !== 'power on' && !o.isBegun) await forgetAgent(parts, node)
  const wanted = stateAfter(target)
  const isReboot = target === 'rebooting' || target === 'soft rebooting'
  if (!isReboot && (await readPowerState(parts, node, o.signal)) === wanted) {
    await node.update({ target_power_state: null })
    return
  }
  await node.update({ target_power_state: wanted })
  if (wanted === 'power on' && !o.isBegun && parts.store.boots.get(node.uuid)?.agent) await openWindow(parts, node.uuid)
  const { soft_power_off_timeout, power_state_change_timeout } = parts.config.conductor
  const longest_s = target.startsWith('soft') ? soft_power_off_timeout : power_state_change_timeout
  const deadline_s = o.timeout_s ?? longest_s + POWER_MARGIN_S
  try {
    const power = interfaceOf(parts, node.record, 'power')
    await limited(o.signal, deadline_s, (limit) =>
      power.setPowerState(interfaceTask(parts, before, 'power', limit), target),
    )
  } catch (error) {
    await node.update({ target_power_state: null })
    throw error
  }
  // What was opened to have it done.
  if (target !== 'power on') parts.agent.forget(node.uuid)
  await node.update({ power_state: wanted, target_power_state: null })
  parts.log.info('power changed', { node: node.uuid, power_state: wanted })
}

/** The boot that it belongs to is over. */
export async function forgetAgent(parts: Pick<Parts, 'agent' | 'store'>, node: NodeHandle): Promise<void> {
  parts.agent.forget(node.uuid)
  await closeWindow(parts, node.uuid)
  await node.update({ internal: AGENT_TRACES })
}

/** For the power verb of the API: what went wrong is the node's last_error. */
export async function changePower(
  parts: PowerParts & Pick<Parts, 'background'>,
  node: NodeHandle,
  target: PowerTarget,
  o: { signal: AbortSignal; timeout_s?: number },
): Promise<void> {
  try {
    await node.update({ error: null })
    await setPower(parts, node, target, o)
  } catch (cause) {
    if (parts.background.stopping.aborted) return
    const text = `Failed to change power state to '${stateAfter(target)}' by '${target}': ${messageOf(cause)}`
    const { last_error } = await node.update({ error: new Error(text, { cause }), target_power_state: null })
    parts.log.warn('power action failed', { node: node.uuid, reason: last_error })
  }
}

/**
 * Makes the next boot, or with `persistent` every boot, come from `device`.
 * @throws BmcFailure, InvalidParameterValue
 */
export async function setBootDevice(
  parts: PowerParts,
  node: Node,
  device: BootDevice,
  o: { persistent: boolean; signal: AbortSignal },
): Promise<void> {
  const management = interfaceOf(parts, node, 'management')
  if (!management.supportedBootDevices.includes(device)) {
    throw new InvalidParameterValue(
      `Invalid boot device ${device} specified. The driver ${node.driver} supports ${management.supportedBootDevices.join(', ')}.`,
    )
  }
  await limited(o.signal, BMC_DEADLINE_S, (limit) =>
    management.setBootDevice(interfaceTask(parts, node, 'management', limit), device, o.persistent),
  )
}

export async function getBootDevice(parts: PowerParts, node: Node, signal: AbortSignal) {
  const management = interfaceOf(parts, node, 'management')
  return limited(signal, BMC_DEADLINE_S, (limit) =>
    management.getBootDevice(interfaceTask(parts, node, 'management', limit)),
  )
}

/** A BMC that hangs is a BMC that failed. */
export async function limited<T>(
  signal: AbortSignal,
  deadline_s: number,
  act: (limit: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted()
  const deadline = AbortSignal.timeout(deadline_s * 1000)
  try {
    return await act(AbortSignal.any([signal, deadline]))
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof BmcFailure) throw error
    if (deadline.aborted) throw new BmcFailure(`The BMC did not finish within ${deadline_s} s`, { cause: error })
    if (error instanceof ApplianceError) throw error
    throw new BmcFailure(`The BMC failed: ${messageOf(error)}`, { cause: error })
  }
}
