/** The verb `adopt`: a machine that somebody else has deployed becomes an active node. Nothing is switched. */
import { messageOf } from '../../errors.ts'
import { forgetBoot } from '../boot/record.ts'
import { callPlugin } from '../plugin/faults.ts'
import { pluginOf, switched, switchedBack } from '../plugin/plugin-of.ts'
import { forgetAgent } from '../power/power.ts'
import type { NodeHandle } from '../states/node-handle.ts'
import type { ProcedureParts } from '../steps/procedure.ts'
import { whileItProgresses } from '../steps/stall.ts'
import { makeTask } from '../task/task.ts'

/**
 * The node is reserved and `adopting`. May come again after a restart.
 * @source Ironic manager._do_adoption: what boots from its disk is not looked at
 */
export async function adopt(parts: ProcedureParts, node: NodeHandle): Promise<void> {
  const { uuid } = node
  try {
    const change = switched(parts, node.record)
    if (change) await node.update(change)
    await forgetAgent(parts, node)
    await forgetBoot(parts, uuid)
    const plugin = pluginOf(parts, node.record)
    const who = `the deploy interface ${plugin.name}`
    const limit_s = parts.config.conductor.deploy_callback_timeout
    await whileItProgresses(who, limit_s, parts.background.signalOf(uuid), (guard) =>
      callPlugin({ who, node: uuid }, () => plugin.adopt?.(makeTask(parts, node, guard))),
    )
  } catch (cause) {
    if (parts.background.stopping.aborted) return
    const error = new Error(`Error while attempting to adopt node ${uuid}: ${messageOf(cause)}.`, { cause })
    await node.move('fail', (now) => ({ ...switchedBack(now), error, power_state: null }))
    return
  }
  await node.move('done', { error: null })
}
