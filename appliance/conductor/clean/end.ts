/**
 * Ends a cleaning, good or bad: switches the machine off, removes what the cleaning left in the record, and says how it
 * went.
 */
import { messageOf } from '../../errors.ts'
import type { Node } from '../../records/kinds/node.ts'
import { endProcedureBoot } from '../boot/record.ts'
import type { Parts } from '../parts/parts.ts'
import { switchedBack } from '../plugin/plugin-of.ts'
import { forgetAgent, keepsPower, setPower } from '../power/power.ts'
import { planOf } from '../procedures/plan.ts'
import { leftovers } from '../procedures/procedure.ts'
import { lastErrorOf } from '../states/last-error.ts'
import type { NodeChange, NodeHandle } from '../states/node-handle.ts'
import { isManualCleaning } from '../states/state-machine.ts'
import { cleanUpByPlugin } from '../steps/failing.ts'
import { ProcedureFailure, type ProcedureParts } from '../steps/procedure.ts'
import { staysBooted } from '../task/fast-track.ts'
import { ERASE_FIELDS } from './agent-fields.ts'
import { withoutRamdisk } from './request.ts'

/** @source Ironic common/faults.py */
const FAULT = 'clean failure'

/** What a cleaning leaves in driver_internal_info, to be removed with its end. */
export const CLEAN_LEFTOVERS = leftovers('clean', ...ERASE_FIELDS, 'cleaning_disable_ramdisk')

/** Whether this machine is cleaned when nobody asks for it. @source Ironic utils.skip_automated_cleaning */
export const isCleanedByItself = ({ config }: Pick<Parts, 'config'>, { automated_clean }: Node): boolean =>
  automated_clean ?? config.conductor.automated_clean

/** Where automated cleaning is off, the machine's disks stay as they are. A retired node does not come back. */
export async function passCleaning(parts: Pick<Parts, 'config'>, node: NodeHandle): Promise<boolean> {
  const { record } = node
  if (isManualCleaning(record) || isCleanedByItself(parts, record)) return false
  await node.move(record.retired ? 'manage' : 'done', { error: null, clean_step: {}, ...switchedBack(record) })
  return true
}

/** The node is reserved and `cleaning`. May come again after a restart. @throws ProcedureFailure */
export async function finishClean(parts: ProcedureParts, node: NodeHandle): Promise<void> {
  // A restart from here on goes on with the end.
  await node.update((now) => ({
    wait: null,
    clean_step: {},
    internal: { clean_step_index: planOf(now).length },
  }))
  const stays = staysBooted(parts, node.record)
  await endProcedureBoot(parts, node.uuid, { staysBooted: stays })
  await cleanUp(parts, node)
  try {
    if (!stays) await tearDownAgent(parts, node)
  } catch (error) {
    parts.background.stopping.throwIfAborted()
    throw new ProcedureFailure(`Failed to tear down from cleaning for node ${node.uuid}, reason: ${messageOf(error)}`, {
      cause: error,
    })
  }
  const { record } = node
  const isBack = isManualCleaning(record) || record.retired
  await node.move(isBack ? 'manage' : 'done', (now) => ({ error: null, ...ended(now) }))
}

/**
 * A step that failed may have left the machine half way. Maintenance keeps everybody from it until somebody has looked.
 * @source Ironic utils.cleaning_error_handler
 */
export const cleanFailure = (node: Node, error: Error, isAbort: boolean): NodeChange =>
  isAbort || Object.keys(node.clean_step).length === 0
    ? {}
    : { maintenance: true, fault: FAULT, maintenance_reason: node.maintenance_reason ?? lastErrorOf(error) }

/** May come again after a restart. */
export async function endCleanFailure(parts: ProcedureParts, node: NodeHandle): Promise<void> {
  await endProcedureBoot(parts, node.uuid)
  await cleanUp(parts, node)
  const isHalfWay = node.record.fault === FAULT
  if (!isHalfWay || parts.config.conductor.poweroff_in_cleanfail) {
    await tearDownAgent(parts, node).catch(async (error: unknown) => {
      parts.background.stopping.throwIfAborted()
      const also = `Also Failed to tear down cleaning on node ${node.uuid}, reason: ${messageOf(error)}`
      await node.update(({ last_error }) => ({ error: new Error(`${last_error}. ${also}`) }))
    })
  }
  await forgetAgent(parts, node)
  await node.update(ended)
}

/** What the end of a cleaning changes, good or bad. */
function ended(now: Node): NodeChange {
  const { internal, ...back } = switchedBack(now)
  return { ...back, internal: { ...CLEAN_LEFTOVERS, agent_cached_clean_steps: undefined, ...internal } }
}

/** @source Ironic deploy_utils.tear_down_inband_cleaning */
async function tearDownAgent(parts: ProcedureParts, node: NodeHandle): Promise<void> {
  if (withoutRamdisk(parts, node.record)) return
  await setPower(parts, node, keepsPower(parts, node.record) ? 'rebooting' : 'power off', {
    signal: parts.background.stopping,
  })
}

const cleanUp = (parts: ProcedureParts, node: NodeHandle) =>
  cleanUpByPlugin(parts, node, ({ cleanSteps }) => cleanSteps !== undefined)
