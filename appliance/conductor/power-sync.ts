/** Reads the power states of all machines now and then: people press buttons. Never switches anything. */
import { messageOf, NodeLocked, NotFound } from '../errors.ts'
import type { Node } from '../nodes/node.ts'
import type { Parts } from './parts.ts'
import { readPowerState } from './power.ts'

/** BMCs are slow, and the box is small. */
const AT_ONCE = 8

/** @returns a run over all nodes; a BMC that fails is told once, until it answers again */
export function createPowerSync(parts: Parts): () => Promise<void> {
  const failing = new Set<string>()

  async function syncOne({ uuid }: Node): Promise<void> {
    let release: (() => Promise<void>) | undefined
    try {
      release = await parts.holds.take(uuid)
      await readPowerState(parts, uuid, parts.jobs.stopping)
      if (failing.delete(uuid)) parts.log.info('power state can be read again', { node: uuid })
    } catch (error) {
      // Somebody works on it, or it is gone: the next run sees.
      if (parts.jobs.stopping.aborted || error instanceof NodeLocked || error instanceof NotFound) return
      if (!failing.has(uuid)) parts.log.warn('power state cannot be read', { node: uuid, reason: messageOf(error) })
      failing.add(uuid)
    } finally {
      await release?.()
    }
  }

  return async () => {
    const left = [...parts.store.nodes.all()].filter(isSynced)
    const work = async () => {
      for (let node = left.shift(); node && !parts.jobs.stopping.aborted; node = left.shift()) await syncOne(node)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
  }
}

/** @source Ironic manager._sync_power_states: not those whose BMC was never seen, nor those in maintenance */
const isSynced = ({ provision_state, maintenance }: Node) =>
  !maintenance && provision_state !== 'enroll' && provision_state !== 'verifying'
