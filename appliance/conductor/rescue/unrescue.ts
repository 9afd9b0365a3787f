/** The verb `unrescue`: a machine that was rescued starts its instance again. It never waits. */
import { messageOf } from '../../errors.ts'
import type { Node } from '../../records/kinds/node.ts'
import { interfaceOf } from '../interfaces/interface-of.ts'
import { callPlugin } from '../plugin/faults.ts'
import type { NodeHandle } from '../states/node-handle.ts'
import type { ProcedureParts } from '../steps/procedure.ts'
import { whileItProgresses } from '../steps/stall.ts'
import { makeTask } from '../task/task.ts'
import { checkMaintenance } from '../validation/may-begin.ts'
import { validatePower } from '../validation/validate.ts'
import { withoutPassword } from './password.ts'
import { refusal } from './rescue.ts'
import { rescueTask } from './task.ts'

/** @throws InvalidParameterValue @source Ironic manager.do_node_unrescue */
export async function checkUnrescue(parts: ProcedureParts, node: Node): Promise<void> {
  checkMaintenance(node, 'unrescuing')
  await validatePower(parts, node).catch((error: unknown) => {
    throw refusal('unrescue', node, error)
  })
}

/** The node is reserved and `unrescuing`. May come again after a restart. */
export async function unrescue(parts: ProcedureParts, node: NodeHandle): Promise<void> {
  const { uuid, record } = node
  try {
    const implementation = interfaceOf(parts, record, 'rescue')
    const who = `the rescue interface ${implementation.name}`
    const limit_s = parts.config.conductor.rescue_callback_timeout
    await whileItProgresses(who, limit_s, parts.background.signalOf(uuid), (guard) =>
      callPlugin({ who, node: uuid }, () => implementation.unrescue(rescueTask(parts, makeTask(parts, node, guard)))),
    )
  } catch (cause) {
    if (parts.background.stopping.aborted) return
    await node.move('fail', { error: new Error(`Failed to unrescue: ${messageOf(cause)}`, { cause }) })
    return
  }
  await node.move('done', (now) => ({ error: null, instance_info: withoutPassword(now) }))
}
