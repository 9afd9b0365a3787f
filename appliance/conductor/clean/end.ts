/** The end of a cleaning, good or bad: the machine is off, nothing is left in the record, and that says how it went. */
import { DeployFailure, messageOf } from '../../errors.ts'
import type { Node } from '../../records/kinds/node.ts'
import { endProcedureBoot } from '../boot/record.ts'
import { merged, nodeOf, type Parts, setInternal } from '../parts/parts.ts'
import { forgetAgent, keepsPower, setPower } from '../power/power.ts'
import { keyOf, planOf } from '../procedures/plan.ts'
import { CLEAN, tracesOf, underWay } from '../procedures/procedure.ts'
import { isManualCleaning } from '../states/state-machine.ts'
import { move } from '../states/transitions.ts'
import { cleanUpByPlugin, lastErrorOf } from '../steps/failing.ts'
import { ERASE_TRACES } from './agent-fields.ts'
import { withoutRamdisk } from './request.ts'

/** @source Ironic common/faults.py */
const FAULT = 'clean failure'

/** What of a cleaning is in driver_internal_info, and gone with its end. */
export const CLEAN_TRACES = { ...tracesOf(CLEAN), ...ERASE_TRACES, cleaning_disable_ramdisk: undefined } as const

/** Whether this machine is cleaned when nobody asks for it. @source Ironic utils.skip_automated_cleaning */
export const isCleanedByItself = ({ config }: Pick<Parts, 'config'>, { automated_clean }: Node): boolean =>
  automated_clean ?? config.conductor.automated_clean

/** Where automated cleaning is off, the machine's disks stay as they are. A retired node does not come back. */
export async function passCleaning(parts: Parts, uuid: string): Promise<boolean> {
  const node = nodeOf(parts, uuid)
  if (isManualCleaning(node) || isCleanedByItself(parts, node)) return false
  await move(parts, uuid, node.retired ? 'manage' : 'done', { last_error: null, clean_step: {} })
  return true
}

/** The node is held and `cleaning`. May come again after a restart. */
export async function finishClean(parts: Parts, uuid: string): Promise<void> {
  // All steps are over: a restart goes on here.
  await parts.store.nodes.update(uuid, (node) => ({
    wait: null,
    clean_step: {},
    driver_internal_info: merged(node.driver_internal_info, { [CLEAN.keys.index]: planOf(node).length }),
  }))
  await endProcedureBoot(parts, uuid)
  await cleanUp(parts, uuid)
  try {
    await tearDownAgent(parts, uuid)
  } catch (error) {
    parts.jobs.stopping.throwIfAborted()
    const text = `Failed to tear down from cleaning for node ${uuid}, reason: ${messageOf(error)}`
    return failClean(parts, uuid, new DeployFailure(text, { cause: error }))
  }
  const isBack = isManualCleaning(nodeOf(parts, uuid)) || nodeOf(parts, uuid).retired
  await move(parts, uuid, isBack ? 'manage' : 'done', (node) => ({
    last_error: null,
    driver_internal_info: merged(node.driver_internal_info, CLEAN_TRACES),
  }))
  parts.jobs.callOff(uuid, new DeployFailure('The cleaning has ended.'))
  parts.onCleanEnd?.('clean')
}

/**
 * The node is held. Does nothing to one that is not being cleaned.
 * A step that failed may have left the machine half way: then nobody is to use it until somebody has looked.
 * @source Ironic utils.cleaning_error_handler
 */
export async function failClean(
  parts: Parts,
  uuid: string,
  error: DeployFailure,
  { way = 'fail', isAbort = false }: { way?: 'fail' | 'abort'; isAbort?: boolean } = {},
): Promise<void> {
  if (underWay(nodeOf(parts, uuid)) !== CLEAN) return
  parts.jobs.callOff(uuid, error)
  const last_error = lastErrorOf(error)
  await move(parts, uuid, way, (node) => ({
    last_error,
    clean_step: {},
    ...(isAbort || Object.keys(node.clean_step).length === 0
      ? {}
      : { maintenance: true, fault: FAULT, maintenance_reason: node.maintenance_reason ?? last_error }),
    // Until the machine is as it shall be: found again after a restart.
    driver_internal_info: merged(node.driver_internal_info, {
      [CLEAN.keys.cleanup_pending]: true,
    }),
  }))
  parts.onCleanEnd?.('failed')
  await endCleanFailure(parts, uuid)
}

/** May come again after a restart. */
export async function endCleanFailure(parts: Parts, uuid: string): Promise<void> {
  await endProcedureBoot(parts, uuid)
  await cleanUp(parts, uuid)
  const isHalfWay = nodeOf(parts, uuid).fault === FAULT
  if (!isHalfWay || parts.config.conductor.poweroff_in_cleanfail) {
    await tearDownAgent(parts, uuid).catch(async (error: unknown) => {
      parts.jobs.stopping.throwIfAborted()
      const also = `Also Failed to tear down cleaning on node ${uuid}, reason: ${messageOf(error)}`
      await parts.store.nodes.update(uuid, ({ last_error }) => ({ last_error: `${last_error}. ${also}` }))
    })
  }
  await forgetAgent(parts, uuid)
  await setInternal(parts, uuid, CLEAN_TRACES)
}

/** @source Ironic deploy_utils.tear_down_inband_cleaning */
async function tearDownAgent(parts: Parts, uuid: string): Promise<void> {
  const node = nodeOf(parts, uuid)
  if (withoutRamdisk(node)) return
  await setPower(parts, uuid, keepsPower(parts, node) ? 'rebooting' : 'power off', { signal: parts.jobs.stopping })
}

const cleanUp = (parts: Parts, uuid: string) =>
  cleanUpByPlugin(parts, uuid, ({ cleanSteps }) => cleanSteps !== undefined)

/** @source Ironic conductor/cleaning.py get_last_error */
export function abortedClean({ clean_step }: Node): DeployFailure {
  const { interface: of, step } = clean_step
  const during =
    typeof of === 'string' && typeof step === 'string'
      ? ` during or after the completion of step "${keyOf({ interface: of, step })}"`
      : ''
  return new DeployFailure(`By request, the clean operation was aborted${during}`)
}
