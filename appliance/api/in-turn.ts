/** The API's own changes of one node wait for each other; what the conductor is busy with refuses them at once. */
import { createKeyedMutex } from '@appliance/ground/keyed-mutex'
import type { Conductor } from '../conductor/conductor.ts'
import { NodeLocked } from '../errors.ts'

/** @source Ironic [conductor] node_locked_retry_attempts times node_locked_retry_interval */
const DEADLINE_MS = 3_000

/**
 * Two clients that change one node at the same moment both get their way: each holds it for the milliseconds of a
 * write.
 */
export function inTurn(conductor: Conductor): Conductor {
  const turns = createKeyedMutex()
  return {
    ...conductor,
    async withNode(uuid, purpose, change) {
      const deadline = AbortSignal.timeout(DEADLINE_MS)
      const taken = turns.run(uuid, () => conductor.withNode(uuid, purpose, change), deadline)
      return taken.catch((error: unknown) => {
        if (!deadline.aborted || error !== deadline.reason) throw error
        throw new NodeLocked(
          `Node ${uuid} is locked by host ${conductor.hostname}, please retry after the current operation is completed.`,
        )
      })
    },
  }
}
