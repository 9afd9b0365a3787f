/** The procedure verify: a node whose machine answers by its BMC becomes manageable. No agent is booted. */
import { messageOf } from '../../errors.ts'
import type { StepResult, Task } from '../../plugin-api/index.ts'
import { interfaceSteps } from '../interfaces/steps.ts'
import { readMachine } from '../machine/readings.ts'
import { readPowerState } from '../power/power.ts'
import { overridesOf } from '../procedures/priorities.ts'
import { leftovers } from '../procedures/procedure.ts'
import type { NodeHandle } from '../states/node-handle.ts'
import { type Procedure, ProcedureFailure, type ProcedureParts } from '../steps/procedure.ts'
import { validatePower } from '../validation/validate.ts'

/** @source Ironic conductor/steps.py VERIFYING_INTERFACE_PRIORITY */
const ORDER = [
  ...['power', 'management', 'firmware', 'inspect', 'deploy', 'boot', 'bios'],
  ...['raid', 'vendor', 'network', 'storage', 'console', 'rescue'],
]

export const VERIFY: Procedure = {
  kind: 'verify',
  verbs: { manage: async () => ({}) },
  timeout: 'clean_callback_timeout',
  words: {
    step: 'Failed to verify: step',
    again: 'Ask for manage again.',
    ended: 'The verification has ended.',
    failedBefore: () => 'Failed to verify: ',
    timeout: (_node, { step, limit_s }) => `Failed to verify: step ${step} gave no sign for ${limit_s} s.`,
    aborted: () => 'The verification was aborted.',
  },
  rules: ({ config }) => ({
    steps: 'all',
    order: ORDER,
    priorities: overridesOf(config.conductor.verify_step_priority_override),
  }),
  ownSteps: (parts, node) => interfaceSteps(parts, node, 'verify'),
  asksNoAgent: true,
  needsNoPlugin: true,
  /** The verb leads to manageable from other states at once. */
  passes: async (_parts, { record }) => record.provision_state !== 'verifying',
  open,
  async finish(parts, node) {
    await readMachine(parts, node, parts.background.stopping)
    await node.move('done', { error: null, internal: leftovers('verify') })
  },
  endFailure: async (_parts, node) => void (await node.update({ internal: leftovers('verify') })),
  isAbortable: () => false,
}

/** @source Ironic conductor/verify.py do_node_verify */
async function open(parts: ProcedureParts, node: NodeHandle, task: Task): Promise<StepResult> {
  const { uuid } = node
  await told(`Failed to validate power driver interface for node ${uuid}. Error: `, () =>
    validatePower(parts, node.record),
  )
  await told(`Failed to get power state for node ${uuid}. Error: `, () => readPowerState(parts, node, task.signal))
  return { done: true }
}

async function told(what: string, act: () => Promise<unknown>): Promise<void> {
  try {
    await act()
  } catch (error) {
    if (!(error instanceof Error)) throw error
    throw new ProcedureFailure(what + messageOf(error), { cause: error })
  }
}
