/**
 * The procedure inspect: what a machine is made of, by its BMC or by the agent, which is booted and reports by itself.
 */
import type { Task } from '../../plugin-api/index.ts'
import type { InspectInterface } from '../../plugin-api/interfaces.ts'
import { interfaceOf, interfaceTask } from '../interfaces/interface-of.ts'
import { merged } from '../parts/parts.ts'
import { callPlugin } from '../plugin/faults.ts'
import type { NodeHandle } from '../states/node-handle.ts'
import type { Procedure, ProcedureParts, ReportAwaited } from '../steps/procedure.ts'
import { validateAgentBoot, validateInterface, validatePower } from '../validation/validate.ts'
import { endInspectFailure, finishInspect } from './end.ts'
import { learn } from './learn.ts'

export const INSPECT: Procedure = {
  kind: 'inspect',
  verbs: {
    async inspect(parts, node) {
      await validatePower(parts, node)
      await validateInterface(parts, node, 'inspect')
      if (interfaceOf(parts, node, 'inspect').usesAgent) await validateAgentBoot(parts, node, 'inspect')
      return { inspection_started_at: new Date().toISOString(), inspection_finished_at: null }
    },
  },
  timeout: 'inspect_wait_timeout',
  words: {
    step: 'Inspection step',
    again: 'Inspect again.',
    ended: 'The inspection has ended.',
    /** The wait stays in the record while what came of it is looked at. */
    failedBefore: ({ wait }) => (wait === null ? 'unable to start inspection: ' : 'Failed to finish inspection: '),
    /** Begins as Ironic's does. */
    timeout: (_node, { limit_s, missing }) =>
      `timeout reached while inspecting the node ([conductor] inspect_wait_timeout ${limit_s} s): ${missing}`,
    /** @source Ironic conductor/inspection.py abort_inspection */
    aborted: () => 'Inspection was aborted by request.',
  },
  rules: () => ({ steps: 'asked' }),
  ownSteps: () => [],
  open,
  finish: finishInspect,
  endFailure: endInspectFailure,
  isAbortable: () => true,
}

async function open(parts: ProcedureParts, node: NodeHandle, task: Task): Promise<{ done: true } | ReportAwaited> {
  const { record, uuid } = node
  // One of an inspection before, which a restart cut off.
  await parts.inspections.dropReport(uuid)
  const inspect = interfaceOf(parts, record, 'inspect')
  const ask = <T>(call: (of: InspectInterface, task: ReturnType<typeof interfaceTask>) => Promise<T>) =>
    callPlugin({ who: `the inspect interface ${inspect.name}`, node: uuid }, () =>
      call(inspect, interfaceTask(parts, record, 'inspect', task.signal)),
    )
  const properties = await ask((of, given) => of.inspectHardware(given))
  await node.update((now) => ({ properties: merged(now.properties, properties) }))
  if (inspect.readInventory) {
    const inventory = await ask(async (of, given) => of.readInventory?.(given))
    if (inventory) await learn(parts, node, { inventory, plugin_data: {} })
  }
  if (!inspect.usesAgent) return { done: true }
  await task.boot.agent()
  return { wait: 'report', note: 'waiting for what the agent finds' }
}
