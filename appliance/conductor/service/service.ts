/** The procedure service: steps that were asked for, on a machine that has an instance. */
import { ApplianceError, InvalidParameterValue, messageOf } from '../../errors.ts'
import type { Kit, StepResult, Task } from '../../plugin-api/index.ts'
import type { Node } from '../../records/kinds/node.ts'
import { checkAllowed } from '../procedures/disallowed.ts'
import { duringStep, keyOf, userSteps } from '../procedures/plan.ts'
import { internalOf, leftovers } from '../procedures/procedure.ts'
import { parseAskedSteps } from '../procedures/request.ts'
import { isReserved } from '../procedures/reserved.ts'
import type { NodeHandle } from '../states/node-handle.ts'
import { imageInfo } from '../steps/image-info.ts'
import { type Procedure, ProcedureFailure, type ProcedureParts } from '../steps/procedure.ts'
import { ownSteps } from '../steps/sources.ts'
import { checkMaintenance } from '../validation/may-begin.ts'
import { validateAgentBoot, validatePower } from '../validation/validate.ts'
import { endServiceFailure, finishService, serviceFailure } from './end.ts'

const KIT: Kit = { agentFlow: () => [], imageInfo }

export const SERVICE: Procedure = {
  kind: 'service',
  verbs: {
    /** @source Ironic manager.do_node_service */
    async service(parts, node, { service_steps = [], disable_ramdisk }) {
      checkMaintenance(node, 'service')
      await validatePower(parts, node).catch((error: unknown) => {
        if (!(error instanceof ApplianceError)) throw error
        throw new InvalidParameterValue(`Validation of node ${node.uuid} for servicing failed: ${messageOf(error)}`, {
          cause: error,
        })
      })
      const asked = {
        user_service_steps: parseAskedSteps('service_steps', 'asked', service_steps),
        service_disable_ramdisk: disable_ramdisk === true ? true : undefined,
      }
      checkAllowed(parts.config, 'service', asked.user_service_steps)
      // Whether the machine is still in the agent of a service that failed stays known.
      return { internal: { ...leftovers('service'), ...asked } }
    },
  },
  timeout: 'service_callback_timeout',
  words: {
    step: 'Service step',
    again: 'Service again.',
    ended: 'The service has ended.',
    failedBefore: ({ uuid, wait }) =>
      wait === null ? `Failed to prepare node ${uuid} for service: ` : 'Node failed to start the first service step: ',
    /** Begins as Ironic's does. */
    timeout: (_node, { step, limit_s, missing }) =>
      'Timeout reached while servicing the node. Please check if the ramdisk responsible for the servicing is running on the node. ' +
      `Failed on step ${step} ([conductor] service_callback_timeout ${limit_s} s): ${missing}`,
    /** @source Ironic conductor/servicing.py get_last_error */
    aborted: ({ service_step }) => `By request, the service operation was aborted${duringStep(service_step)}`,
  },
  rules: () => ({ steps: 'asked', tells_abortable: true }),
  pluginSteps: (_parts, plugin, node) => plugin.serviceSteps?.(KIT, internalOf(node, 'service', 'kept') ?? {}) ?? [],
  open,
  finish: finishService,
  failure: serviceFailure,
  endFailure: endServiceFailure,
  abortGoesOn: true,
  isAbortable: ({ service_step }) => Object.keys(service_step).length === 0 || service_step.abortable === true,
}

/** @source Ironic conductor/servicing.py do_node_service */
async function open(parts: ProcedureParts, node: NodeHandle, task: Task): Promise<StepResult> {
  const { record } = node
  const needing = stepNeedingAgent(parts, record)
  if (needing === undefined) return { done: true }
  if (record.driver_internal_info.service_disable_ramdisk) {
    throw new ProcedureFailure(
      `service step ${needing} requires booting a ramdisk, and the request has disable_ramdisk set.`,
    )
  }
  await validateAgentBoot(parts, record, 'service')
  await node.update({ internal: { service_boots_agent: true } })
  await task.boot.agent()
  return { wait: 'agent-boot', note: 'waiting for the agent' }
}

/** What neither the interfaces nor the plugin have may be the agent's. */
function stepNeedingAgent(parts: ProcedureParts, node: Node): string | undefined {
  const own = new Map(ownSteps(parts, SERVICE, node).map((step) => [keyOf(step), step]))
  const needing = userSteps(node).find((step) => {
    const known = own.get(keyOf(step))
    return known ? known.requiresAgent : !isReserved(step)
  })
  return needing && keyOf(needing)
}
