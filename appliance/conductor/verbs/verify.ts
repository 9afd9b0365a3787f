/** The verb `manage`: a node whose machine answers by its BMC is manageable. */
import { messageOf } from '../../errors.ts'
import { readMachine } from '../machine/readings.ts'
import { readPowerState } from '../power/power.ts'
import type { NodeHandle } from '../states/node-handle.ts'
import { type ValidationParts, validatePower } from '../validation/validate.ts'

/** The node is reserved and `verifying`. May come again after a restart. @source Ironic conductor/verify.py */
export async function verify(parts: ValidationParts, node: NodeHandle): Promise<void> {
  const { uuid, record } = node
  try {
    await validatePower(parts, record)
    await readPowerState(parts, node, parts.background.stopping)
    await readMachine(parts, node, parts.background.stopping)
  } catch (cause) {
    if (parts.background.stopping.aborted) return
    const error = new Error(`Failed to get power state for node ${uuid}. Error: ${messageOf(cause)}`, { cause })
    await node.move('fail', { error })
    return
  }
  await node.move('done', { error: null })
}
