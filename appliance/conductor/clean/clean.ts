/**
 * The procedure clean: automated, of a machine that is to become available, or manual, by steps that were asked for.
 */
import { ApplianceError, InvalidParameterValue, messageOf } from '../../errors.ts'
import type { Kit, StepResult, Task } from '../../plugin-api/index.ts'
import type { Node } from '../../records/kinds/node.ts'
import { validateRamdisk } from '../boot/ramdisk.ts'
import { merged } from '../parts/parts.ts'
import { pluginOf } from '../plugin/plugin-of.ts'
import { checkAllowed } from '../procedures/disallowed.ts'
import { duringStep } from '../procedures/plan.ts'
import { prioritiesOf } from '../procedures/priorities.ts'
import { internalOf } from '../procedures/procedure.ts'
import type { NodeHandle } from '../states/node-handle.ts'
import { isManualCleaning } from '../states/state-machine.ts'
import { imageInfo } from '../steps/image-info.ts'
import { type Procedure, ProcedureFailure, type ProcedureParts } from '../steps/procedure.ts'
import { checkConcurrency, checkMaintenance, checkRetired } from '../validation/may-begin.ts'
import { type ValidationParts, validateAgentBoot, validatePower } from '../validation/validate.ts'
import { eraseFields } from './agent-fields.ts'
import { CLEAN_LEFTOVERS, cleanFailure, endCleanFailure, finishClean, isCleanedByItself, passCleaning } from './end.ts'
import { cleanRequest, withoutRamdisk } from './request.ts'

/** A cleaning has no steps of the core's own. */
const KIT: Kit = { agentFlow: () => [], imageInfo }

export const CLEAN: Procedure = {
  kind: 'clean',
  verbs: {
    async provide(parts, node) {
      checkRetired(node, 'provide')
      if (isCleanedByItself(parts, node) && !withoutRamdisk(parts, node)) await validateRamdisk(parts, node, 'clean')
      return {}
    },
    /** By steps that were asked for. @source Ironic manager.do_node_clean */
    async clean(parts, node, request) {
      checkConcurrency(parts, 'max_concurrent_clean', ['cleaning', 'clean wait'])
      checkMaintenance(node, 'cleaning')
      const asked = cleanRequest(request)
      checkAllowed(parts.config, 'clean', asked.user_clean_steps ?? [])
      try {
        await validateCleaning(parts, { ...node, driver_internal_info: merged(node.driver_internal_info, asked) })
      } catch (error) {
        if (!(error instanceof ApplianceError)) throw error
        throw new InvalidParameterValue(invalid(node, error), { cause: error })
      }
      return { internal: { ...CLEAN_LEFTOVERS, ...asked } }
    },
  },
  timeout: 'clean_callback_timeout',
  words: {
    step: 'Clean step',
    again: 'Clean again.',
    ended: 'The cleaning has ended.',
    failedBefore: ({ uuid, wait }) =>
      wait === null
        ? `Failed to prepare node ${uuid} for cleaning: `
        : 'Node failed to start the first cleaning step: ',
    /** Begins as Ironic's does. */
    timeout: (_node, { step, limit_s, missing }) =>
      'Timeout reached while cleaning the node. Please check if the ramdisk responsible for the cleaning is running on the node. ' +
      `Failed on step ${step} ([conductor] clean_callback_timeout ${limit_s} s): ${missing}`,
    /** @source Ironic conductor/cleaning.py get_last_error */
    aborted: ({ clean_step }) => `By request, the clean operation was aborted${duringStep(clean_step)}`,
  },
  /** @source Ironic conductor/steps.py _get_cleaning_steps */
  rules: ({ config }, node) => ({
    steps: isManualCleaning(node) ? 'asked' : 'all',
    priorities: prioritiesOf(config),
    tells_abortable: true,
  }),
  pluginSteps: (_parts, plugin, node) => plugin.cleanSteps?.(KIT, internalOf(node, 'clean', 'kept') ?? {}) ?? [],
  passes: passCleaning,
  open,
  finish: finishClean,
  failure: cleanFailure,
  endFailure: endCleanFailure,
  isAbortable: ({ clean_step }) => Object.keys(clean_step).length === 0 || clean_step.abortable === true,
}

/** @source Ironic conductor/cleaning.py do_node_clean */
async function open(parts: ProcedureParts, node: NodeHandle, task: Task): Promise<StepResult> {
  const { record } = node
  const { prepareClean } = pluginOf(parts, record)
  try {
    await validateCleaning(parts, record)
    await prepareClean?.(task)
  } catch (error) {
    throw new ProcedureFailure(invalid(record, error), { cause: error })
  }
  if (withoutRamdisk(parts, record)) return { done: true }
  await node.update({ internal: eraseFields(parts.config) })
  await task.boot.agent()
  return { wait: 'agent-boot', note: 'waiting for the agent' }
}

const invalid = ({ uuid }: Node, error: unknown) =>
  `Validation of node ${uuid} for cleaning failed: ${messageOf(error)}`

/** @throws InvalidParameterValue, MissingParameterValue */
async function validateCleaning(parts: ValidationParts, node: Node): Promise<void> {
  await validatePower(parts, node)
  if (!withoutRamdisk(parts, node)) await validateAgentBoot(parts, node, 'clean')
}
