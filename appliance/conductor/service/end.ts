/** Ends a service, good or bad: the machine goes back to its instance, unless a step may have left it half way. */
import { messageOf } from '../../errors.ts'
import type { Node } from '../../records/kinds/node.ts'
import { endProcedureBoot } from '../boot/record.ts'
import { forgetAgent, keepsPower, setPower } from '../power/power.ts'
import { planOf } from '../procedures/plan.ts'
import { leftovers } from '../procedures/procedure.ts'
import { lastErrorOf } from '../states/last-error.ts'
import type { NodeChange, NodeHandle } from '../states/node-handle.ts'
import { cleanUpByPlugin } from '../steps/failing.ts'
import { ProcedureFailure, type ProcedureParts } from '../steps/procedure.ts'
import { bootInstance } from '../task/machine.ts'

/** @source Ironic common/faults.py */
const FAULT = 'service failure'

/** What a service leaves in driver_internal_info, to be removed with its end. */
export const SERVICE_LEFTOVERS = leftovers('service', 'service_disable_ramdisk', 'service_boots_agent')

/** The node is reserved and `servicing`. May come again after a restart. @throws ProcedureFailure */
export async function finishService(parts: ProcedureParts, node: NodeHandle): Promise<void> {
  // A restart from here on goes on with the end.
  await node.update((now) => ({ wait: null, service_step: {}, internal: { service_step_index: planOf(now).length } }))
  await cleanUp(parts, node)
  try {
    await leaveAgent(parts, node)
  } catch (error) {
    parts.background.stopping.throwIfAborted()
    const what = `Failed to tear down from service for node ${node.uuid}, reason: ${messageOf(error)}`
    throw new ProcedureFailure(what, { cause: error })
  }
  await node.move('done', { error: null, internal: SERVICE_LEFTOVERS })
}

/** @source Ironic utils.servicing_error_handler */
export const serviceFailure = (node: Node, error: Error, isAbort: boolean): NodeChange =>
  isAbort || Object.keys(node.service_step).length === 0
    ? {}
    : { maintenance: true, fault: FAULT, maintenance_reason: node.maintenance_reason ?? lastErrorOf(error) }

/** After an abort, too: the node is active again then. May come again after a restart. */
export async function endServiceFailure(parts: ProcedureParts, node: NodeHandle): Promise<void> {
  await cleanUp(parts, node)
  await endMachine(parts, node).catch(async (error: unknown) => {
    parts.background.stopping.throwIfAborted()
    const also = `Also failed to tear down servicing: ${messageOf(error)}`
    await node.update(({ last_error }) => ({ error: new Error(last_error ? `${last_error}. ${also}` : also) }))
  })
  await forgetAgent(parts, node)
  await node.update(({ fault, driver_internal_info: { service_boots_agent } }) => ({
    // Who aborts what has failed has the machine brought back to its instance.
    internal: { ...SERVICE_LEFTOVERS, ...(fault === FAULT ? { service_boots_agent } : {}) },
  }))
}

async function endMachine(parts: ProcedureParts, node: NodeHandle): Promise<void> {
  const { fault, provision_state } = node.record
  // A step that failed may have left the machine half way: nobody starts its instance then.
  if (fault !== FAULT) await leaveAgent(parts, node)
  await endProcedureBoot(parts, node.uuid)
  if (provision_state !== 'service failed' || !parts.config.conductor.poweroff_in_servicefail) return
  if (!keepsPower(parts, node.record)) {
    await setPower(parts, node, 'power off', { signal: parts.background.stopping })
  }
}

/** A machine that no agent was booted on runs its instance. */
async function leaveAgent(parts: ProcedureParts, node: NodeHandle): Promise<void> {
  if (!node.record.driver_internal_info.service_boots_agent) return
  await bootInstance(parts, node, parts.background.stopping)
}

const cleanUp = (parts: ProcedureParts, node: NodeHandle) =>
  cleanUpByPlugin(parts, node, ({ serviceSteps }) => serviceSteps !== undefined)
