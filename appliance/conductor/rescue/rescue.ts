/** The procedure rescue: a machine whose operating system does not let anybody in runs another one from memory. */
import { ApplianceError, InvalidParameterValue, messageOf } from '../../errors.ts'
import type { Node } from '../../records/kinds/node.ts'
import { endProcedureBoot } from '../boot/record.ts'
import { interfaceOf } from '../interfaces/interface-of.ts'
import { forgetAgent, keepsPower, setPower } from '../power/power.ts'
import type { OwnStep } from '../procedures/plan.ts'
import { leftovers } from '../procedures/procedure.ts'
import type { NodeHandle } from '../states/node-handle.ts'
import { type Procedure, ProcedureFailure, type ProcedureParts } from '../steps/procedure.ts'
import { checkMaintenance } from '../validation/may-begin.ts'
import { type ValidationParts, validateAgentBoot, validateInterface, validatePower } from '../validation/validate.ts'
import { withoutPassword, withPassword } from './password.ts'
import { rescueTask } from './task.ts'

export const RESCUE_LEFTOVERS = leftovers('rescue')

export const RESCUE: Procedure = {
  kind: 'rescue',
  verbs: {
    /** @source Ironic manager.do_node_rescue */
    async rescue(parts, node, { rescue_password }) {
      checkMaintenance(node, 'rescuing')
      try {
        await validateRescue(parts, node)
        const instance_info = await withPassword(parts, node, rescue_password)
        // Its end brings the machine back to the instance, also from a service that failed.
        return { instance_info, internal: { ...RESCUE_LEFTOVERS, service_boots_agent: undefined } }
      } catch (error) {
        throw refusal('rescue', node, error)
      }
    },
  },
  timeout: 'rescue_callback_timeout',
  words: {
    step: 'Rescue step',
    again: 'Rescue again.',
    ended: 'The rescue has ended.',
    failedBefore: () => 'Failed to rescue: ',
    /** Begins as Ironic's does. */
    timeout: (_node, { limit_s, missing }) =>
      `Timeout reached while waiting for rescue ramdisk callback for node ([conductor] rescue_callback_timeout ${limit_s} s): ${missing}`,
    aborted: () => 'By request, the rescue operation was aborted.',
  },
  rules: () => ({ steps: 'all' }),
  ownSteps: (parts, node) => [rescueStep(parts, node)],
  asksNoAgent: true,
  open: async () => ({ done: true }),
  /** The agent has ended with its last command: what somebody does on the machine is not ours. */
  async finish(parts, node) {
    await endBoot(parts, node)
    await node.move('done', (now) => ({
      error: null,
      instance_info: withoutPassword(now),
      internal: RESCUE_LEFTOVERS,
    }))
  },
  failure: (node) => ({ instance_info: withoutPassword(node) }),
  /** @source Ironic utils.rescuing_error_handler */
  async endFailure(parts, node) {
    if (!keepsPower(parts, node.record)) {
      await setPower(parts, node, 'power off', { signal: parts.background.stopping }).catch(async (error: unknown) => {
        parts.background.stopping.throwIfAborted()
        const also = `Rescue operation was unsuccessful, clean up failed for node: ${messageOf(error)}`
        await node.update(({ last_error }) => ({ error: new Error(`${last_error} ${also}`) }))
      })
    }
    await endBoot(parts, node)
    await node.update({ internal: RESCUE_LEFTOVERS })
  },
  isAbortable: () => true,
}

async function endBoot(parts: ProcedureParts, node: NodeHandle): Promise<void> {
  await endProcedureBoot(parts, node.uuid)
  await forgetAgent(parts, node)
}

function rescueStep(parts: ProcedureParts, node: Node): OwnStep {
  const implementation = interfaceOf(parts, node, 'rescue')
  const { resume } = implementation
  return {
    ...{ interface: 'rescue', step: 'rescue', priority: 1, again: true },
    run: (task) => told('Failed to rescue', implementation.rescue(rescueTask(parts, task))),
    ...(resume && {
      resume: (task, sign) => told('Node failed to perform rescue operation', resume(rescueTask(parts, task), sign)),
    }),
  }
}

/** In Ironic's words, which say nothing of steps. */
const told = <T>(what: string, work: Promise<T>): Promise<T> =>
  work.catch((error: unknown) => {
    if (!(error instanceof ApplianceError)) throw error
    throw new ProcedureFailure(`${what}: ${messageOf(error)}`, { cause: error })
  })

/** @throws InvalidParameterValue, MissingParameterValue, UnsupportedDriverExtension */
async function validateRescue(parts: ValidationParts, node: Node): Promise<void> {
  await validatePower(parts, node)
  await validateInterface(parts, node, 'rescue')
  if (interfaceOf(parts, node, 'rescue').bootsAgent) await validateAgentBoot(parts, node, 'rescue')
}

/** @source Ironic InstanceRescueFailure and InstanceUnrescueFailure, which it answers with a 500 */
export const refusal = (verb: 'rescue' | 'unrescue', { uuid, instance_uuid }: Node, error: unknown) =>
  new InvalidParameterValue(
    `Failed to ${verb} instance ${instance_uuid ?? 'None'} for node ${uuid}: Validation failed: ${messageOf(error)}`,
    { cause: error },
  )
