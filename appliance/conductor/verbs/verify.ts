/** The verb `manage`: a node whose machine answers by its BMC is manageable. */
import { messageOf } from '../../errors.ts'
import { nodeOf, type Parts } from '../parts/parts.ts'
import { readPowerState } from '../power/power.ts'
import { move } from '../states/transitions.ts'
import { validatePower } from '../validation/validate.ts'

/** The node is held and `verifying`. May come again after a restart. @source Ironic conductor/verify.py */
export async function verify(parts: Parts, uuid: string): Promise<void> {
  try {
    const node = nodeOf(parts, uuid)
    await validatePower(parts, node)
    await readPowerState(parts, uuid, parts.jobs.stopping)
  } catch (error) {
    if (parts.jobs.stopping.aborted) return
    const last_error = `Failed to get power state for node ${uuid}. Error: ${messageOf(error)}`
    await move(parts, uuid, 'fail', { last_error })
    return
  }
  await move(parts, uuid, 'done', { last_error: null })
}
