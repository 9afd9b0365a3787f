/** Reads the power states of all machines now and then: people press buttons. Never switches anything. */
import { messageOf, NotFound } from '../../errors.ts'
import type { Node } from '../../records/kinds/node.ts'
import type { Parts } from '../parts/parts.ts'
import { askPowerState } from './power.ts'

/** BMCs are slow, and the box is small. */
const AT_ONCE = 8
const DEADLINE_MS = 60_000

/** @returns a run over all nodes; a BMC that fails is told once, until it answers again */
export function createPowerSync(
  parts: Pick<Parts, 'store' | 'log' | 'background' | 'agent' | 'hardware' | 'config' | 'option_values'>,
): () => Promise<void> {
  const failing = new Set<string>()

  /**
   * Without the node's reservation, so that a BMC that hangs keeps nobody from the node. What was switched meanwhile
   * counts.
   */
  async function syncOne(node: Node): Promise<void> {
    const { uuid, power_state } = node
    try {
      const limit = AbortSignal.any([parts.background.stopping, AbortSignal.timeout(DEADLINE_MS)])
      const found = await askPowerState(parts, node, limit)
      if (failing.delete(uuid)) parts.log.info('power state can be read again', { node: uuid })
      if (found === power_state) return
      const after = await parts.store.nodes.update(uuid, (now) =>
        now.reservation === null && now.power_state === power_state ? { power_state: found } : {},
      )
      if (after.power_state === found) parts.log.info('power changed', { node: uuid, power_state: found })
    } catch (error) {
      if (parts.background.stopping.aborted || error instanceof NotFound) return
      if (!failing.has(uuid)) parts.log.warn('power state cannot be read', { node: uuid, reason: messageOf(error) })
      failing.add(uuid)
    }
  }

  /** Not those whose power state is an assumption. */
  const isAsked = (node: Node) => parts.hardware.find('power', node.interfaces.power)?.supportsPowerSync !== false

  return async () => {
    const left = [...parts.store.nodes.all()].filter((node) => isSynced(node) && isAsked(node))
    const work = async () => {
      for (let node = left.shift(); node && !parts.background.stopping.aborted; node = left.shift()) await syncOne(node)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
  }
}

/** @source Ironic manager._sync_power_states: not those whose BMC was never seen, in maintenance, or held */
const isSynced = ({ provision_state, maintenance, reservation }: Node) =>
  !maintenance && reservation === null && provision_state !== 'enroll' && provision_state !== 'verifying'
