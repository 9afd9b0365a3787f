/** Starts a machine once more whose firmware has missed its network. */
import { ApplianceError, messageOf } from '../../errors.ts'
import { isSwitchedByHand } from '../power/power.ts'
import { isWaiting } from '../procedures/procedure.ts'
import type { NodeHandle } from '../states/node-handle.ts'
import { bootAgent } from '../task/machine.ts'
import type { ProcedureParts } from './procedure.ts'
import { awaitsBoot } from './signs.ts'

/** @returns whether it was tried: the node waits on. @source Ironic [pxe] boot_retry_timeout */
export async function bootAgain(parts: ProcedureParts, node: NodeHandle): Promise<boolean> {
  const { uuid, record } = node
  if (!isWaiting(record) || !awaitsBoot(record)) return false
  if (isSwitchedByHand(parts, record)) {
    parts.log.warn('machine has not booted the agent, and can only be started by hand', { node: uuid })
    return false
  }
  parts.log.warn('machine has not booted the agent, and is started once more', { node: uuid })
  await bootAgent(parts, node, parts.background.signalOf(uuid)).catch((error: unknown) => {
    if (!(error instanceof ApplianceError)) throw error
    parts.log.warn('machine could not be started once more', { node: uuid, reason: messageOf(error) })
  })
  return true
}
