/**
 * Reads the power states of all machines now and then: people press buttons. A machine whose BMC is lost goes into
 * maintenance, and comes out of it when the BMC answers again.
 * @source Ironic manager._sync_power_states, do_sync_power_state, _power_failure_recovery
 */
import { ApplianceError, BmcFailure, messageOf, NodeLocked, NotFound } from '../../errors.ts'
import type { PowerState } from '../../plugin-api/interfaces.ts'
import type { Node } from '../../records/kinds/node.ts'
import { interfaceOf, interfaceTask } from '../interfaces/interface-of.ts'
import type { Parts } from '../parts/parts.ts'
import { isWaiting } from '../procedures/procedure.ts'
import { handleOf } from '../states/node-handle.ts'
import { askPowerState, setPower } from './power.ts'

const DEADLINE_MS = 60_000
/** @source Ironic common/faults.py */
const FAULT = 'power failure'

export type PowerSync = { sync(): Promise<void>; recover(): Promise<void> }

/** Runs over all nodes; a BMC that fails is told once, until it answers again. */
export function createPowerSync(parts: Parts): PowerSync {
  /** How many times in a row a node's state could not be read, or was not what the record says. */
  const failures = new Map<string, number>()
  /** Nodes of which it is told that their state cannot be read. */
  const unreadable = new Set<string>()
  const deadline = () => AbortSignal.any([parts.background.stopping, AbortSignal.timeout(DEADLINE_MS)])

  /**
   * Without the node's reservation, so that a BMC that hangs keeps nobody from the node. What was switched meanwhile
   * counts.
   */
  async function syncOne(node: Node): Promise<void> {
    const { uuid, power_state } = node
    const count = (failures.get(uuid) ?? 0) + 1
    let found: PowerState | null
    try {
      if (power_state === null && !(await isValid(parts, node, deadline()))) return
      found = await readState(parts, node, deadline())
    } catch (error) {
      if (parts.background.stopping.aborted || error instanceof NotFound) return
      failures.set(uuid, count)
      if (!unreadable.has(uuid)) parts.log.warn('power state cannot be read', { node: uuid, reason: messageOf(error) })
      unreadable.add(uuid)
      if (count > parts.config.conductor.power_state_sync_max_retries) await giveUp(parts, node, null, error)
      return
    }
    if (unreadable.delete(uuid)) parts.log.info('power state can be read again', { node: uuid })
    if (found === power_state) return void failures.delete(uuid)
    if (power_state === null) failures.delete(uuid)
    else failures.set(uuid, count)
    await settle(parts, node, found, failures.get(uuid) ?? 0)
  }

  /** @source Ironic: those that failed come first */
  const order = (a: Node, b: Node) => (failures.get(b.uuid) ?? 0) - (failures.get(a.uuid) ?? 0)
  const isAsked = ({ interfaces }: Node) => parts.hardware.find('power', interfaces.power)?.supportsPowerSync !== false

  return {
    async sync() {
      const nodes = [...parts.store.nodes.all()].filter((node) => isSynced(node) && isAsked(node)).sort(order)
      const known = new Set(nodes.map(({ uuid }) => uuid))
      for (const uuid of failures.keys()) if (!known.has(uuid)) failures.delete(uuid)
      await overAll(parts, nodes, syncOne)
    },
    async recover() {
      const lost = [...parts.store.nodes.all()].filter(isLost)
      await overAll(parts, lost, async (node) => {
        const state = await stateAgain(parts, node, deadline())
        if (state === undefined) return
        failures.delete(node.uuid)
        const after = await parts.store.nodes.update(node.uuid, (now) =>
          isLost(now) ? { power_state: state, maintenance: false, maintenance_reason: null, fault: null } : {},
        )
        if (after.fault === null)
          parts.log.info('node recovered from power failure', { node: node.uuid, power_state: state })
      })
    },
  }
}

/** As many at a time as the configuration says. */
async function overAll(parts: Parts, nodes: readonly Node[], act: (node: Node) => Promise<void>): Promise<void> {
  const left = [...nodes]
  const work = async () => {
    for (let node = left.shift(); node && !parts.background.stopping.aborted; node = left.shift()) {
      const { uuid } = node
      await act(node).catch((error: unknown) => {
        if (parts.background.stopping.aborted || error instanceof NotFound) return
        if (!(error instanceof ApplianceError)) throw error
        parts.log.warn('power state not settled', { node: uuid, reason: messageOf(error) })
      })
    }
  }
  await Promise.all(Array.from({ length: parts.config.conductor.sync_power_state_workers }, work))
}

/** Not those whose BMC was never seen, in maintenance, held, being switched, or on their way by themselves. */
const isSynced = (node: Node) =>
  !node.maintenance &&
  node.reservation === null &&
  node.target_power_state === null &&
  !['enroll', 'verifying', 'adopt failed'].includes(node.provision_state) &&
  !isWaiting(node)

const isLost = (node: Node) =>
  node.maintenance &&
  node.fault === FAULT &&
  node.reservation === null &&
  node.target_power_state === null &&
  node.provision_state !== 'enroll'

/** @throws what is missing or wrong in the node's fields */
async function validate(parts: Parts, node: Node, signal: AbortSignal): Promise<void> {
  await interfaceOf(parts, node, 'power').validate(interfaceTask(parts, node, 'power', signal))
}

async function isValid(parts: Parts, node: Node, signal: AbortSignal): Promise<boolean> {
  try {
    await validate(parts, node, signal)
    return true
  } catch {
    // Nobody has said where its BMC is: there is nothing to be read, and no failure.
    return false
  }
}

async function readState(parts: Parts, node: Node, signal: AbortSignal): Promise<PowerState | null> {
  const state = await askPowerState(parts, node, signal)
  if (state === 'error') throw new BmcFailure('The BMC tells the power state "error".')
  return state
}

/** @returns undefined: it still cannot be read */
async function stateAgain(parts: Parts, node: Node, signal: AbortSignal): Promise<PowerState | null | undefined> {
  try {
    await validate(parts, node, signal)
    return await readState(parts, node, signal)
  } catch (error) {
    parts.log.debug('power state still cannot be read', { node: node.uuid, reason: messageOf(error) })
    return undefined
  }
}

/** The machine is in another state than its record says. */
async function settle(parts: Parts, node: Node, found: PowerState | null, count: number): Promise<void> {
  const { uuid, power_state } = node
  const { power_state_sync_max_retries, force_power_state_during_sync } = parts.config.conductor
  if (count > power_state_sync_max_retries) return giveUp(parts, node, found)
  const isForced = force_power_state_during_sync && !node.disable_power_off
  if (isForced && (power_state === 'power on' || power_state === 'power off')) return force(parts, node, power_state)
  const after = await parts.store.nodes.update(uuid, (now) =>
    now.reservation === null && now.power_state === power_state ? { power_state: found } : {},
  )
  if (after.power_state === found) parts.log.info('power changed', { node: uuid, power_state: found })
}

/** A node that somebody took meanwhile is left to them. */
async function force(parts: Parts, { uuid }: Node, wanted: 'power on' | 'power off'): Promise<void> {
  const release = await parts.reservations.take(uuid).catch((error: unknown) => {
    if (error instanceof NodeLocked) return undefined
    throw error
  })
  if (!release) return
  try {
    const node = handleOf(parts, uuid)
    if (node.record.power_state !== wanted || node.record.maintenance) return
    parts.log.warn('machine is switched back to the power state of its record', { node: uuid, power_state: wanted })
    await setPower(parts, node, wanted, { signal: parts.background.stopping })
  } finally {
    await release()
  }
}

/** The failure is in the record, and nobody uses the machine until somebody has looked, or its BMC is back. */
async function giveUp(parts: Parts, node: Node, found: PowerState | null, cause?: unknown): Promise<void> {
  const { uuid, power_state } = node
  const text =
    `During sync_power_state, max retries exceeded for node ${uuid}, node state ${found ?? 'None'} does not match ` +
    `expected state '${power_state}'. Updating DB state to '${found ?? 'None'}' Switching node to maintenance mode.` +
    (cause === undefined ? '' : ` Error: ${messageOf(cause)}`)
  const error = new Error(text, { cause })
  const after = await handleOf(parts, uuid).update((now) =>
    isSynced(now) && now.power_state === power_state
      ? { error, power_state: found, maintenance: true, maintenance_reason: text, fault: FAULT }
      : {},
  )
  if (after.fault !== FAULT) return
  parts.log.error('node is in maintenance: its power state is lost', { node: uuid, reason: text })
}
