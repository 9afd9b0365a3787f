/** Cleaning, as the engine of steps sees it: automated, of a machine that is to become available, or manual, by steps that were asked for. */
import { messageOf } from '../../errors.ts'
import type { Kit, StepResult, Task } from '../../plugin-api/index.ts'
import type { Node } from '../../records/kinds/node.ts'
import { nodeOf, type Parts, pluginOf, setInternal } from '../parts/parts.ts'
import { userSteps } from '../procedures/plan.ts'
import { CLEAN } from '../procedures/procedure.ts'
import { isManualCleaning } from '../states/state-machine.ts'
import { imageInfo } from '../steps/image-info.ts'
import { ProcedureFailure, type Way } from '../steps/way.ts'
import { validateAgentBoot, validatePower } from '../validation/validate.ts'
import { eraseFields } from './agent-fields.ts'
import { abortedClean, endCleanFailure, failClean, finishClean, passCleaning } from './end.ts'
import { planAutomated, planManual } from './plan.ts'
import { prioritiesOf } from './priorities.ts'
import { withoutRamdisk } from './request.ts'

/** A cleaning has no steps of the core's own. */
const KIT: Kit = { agentFlow: () => [], imageInfo }

export function createClean(parts: Parts): Way {
  const priorities = prioritiesOf(parts.config)
  const steps: Way['steps'] = (plugin) => plugin.cleanSteps?.(KIT) ?? []
  return {
    procedure: CLEAN,
    passes: (uuid) => passCleaning(parts, uuid),
    open: (task) => open(parts, task),
    steps,
    plan(node, done, offered) {
      const sources = { plugin: steps(pluginOf(parts, node)), offered }
      if (!isManualCleaning(node)) return planAutomated(done, sources, priorities)
      return planManual(done, { ...sources, user: userSteps(node) }, priorities)
    },
    failedBefore: ({ uuid, wait }) =>
      wait === null
        ? `Failed to prepare node ${uuid} for cleaning: `
        : 'Node failed to start the first cleaning step: ',
    /** Begins as Ironic's does. */
    timeout: (_node, { step, limit_s, missing }) =>
      'Timeout reached while cleaning the node. Please check if the ramdisk responsible for the cleaning is running on the node. ' +
      `Failed on step ${step} ([conductor] clean_callback_timeout ${limit_s} s): ${missing}`,
    finish: (uuid) => finishClean(parts, uuid),
    fail: (uuid, error) => failClean(parts, uuid, error),
    abort: (uuid) => failClean(parts, uuid, abortedClean(nodeOf(parts, uuid)), { isAbort: true }),
    endFailure: (uuid) => endCleanFailure(parts, uuid),
  }
}

/** @source Ironic conductor/cleaning.py do_node_clean */
async function open(parts: Parts, task: Task): Promise<StepResult> {
  const node = nodeOf(parts, task.node.uuid)
  try {
    await validateCleaning(parts, node)
  } catch (error) {
    throw new ProcedureFailure(`Validation of node ${node.uuid} for cleaning failed: ${messageOf(error)}`, {
      cause: error,
    })
  }
  if (withoutRamdisk(node)) return { done: true }
  await setInternal(parts, node.uuid, eraseFields(parts.config))
  await task.boot.agent()
  return { wait: 'agent-boot', note: 'waiting for the agent' }
}

/** @throws InvalidParameterValue, MissingParameterValue */
export async function validateCleaning(parts: Parts, node: Node): Promise<void> {
  await validatePower(parts, node)
  if (!withoutRamdisk(node)) await validateAgentBoot(parts, node, CLEAN)
}
