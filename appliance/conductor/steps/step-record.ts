/** Writes to the node which step runs, before it runs, and logs the beginning and the end of steps. */
import type { PlannedStep } from '../../records/kinds/internal-info.ts'
import { readAfter } from '../machine/readings.ts'
import type { Parts } from '../parts/parts.ts'
import type { PowerParts } from '../power/power.ts'
import { currentStepOf } from '../procedures/plan.ts'
import { internalChange, internalOf, procedureOf, stepShown } from '../procedures/procedure.ts'
import { type HistoryParts, rememberSteps } from '../states/history.ts'
import type { NodeHandle } from '../states/node-handle.ts'

/** Resolves when durable: after a restart it is known which step was cut off. */
export async function startStep(
  parts: HistoryParts,
  node: NodeHandle,
  index: number,
  planned: PlannedStep,
): Promise<void> {
  const { interface: name, step, priority, args, abortable } = planned
  const { kind } = procedureOf(node.record)
  const shown = {
    ...{ interface: name, step, priority },
    ...(Object.keys(args).length > 0 ? { args } : {}),
    ...(abortable === undefined ? {} : { abortable }),
  }
  await node.update({
    wait: null,
    ...stepShown(kind, shown),
    internal: {
      ...internalChange(kind, { index, started_at: new Date().toISOString() }),
      agent_command_id: undefined,
    },
  })
  if (index === 0) await rememberSteps(parts, node.record, 'start')
  parts.log.info('step started', { node: node.uuid, interface: name, step })
}

/** Also reads what the step may have changed of the machine. */
export async function finishStep(parts: PowerParts & Pick<Parts, 'background'>, node: NodeHandle): Promise<void> {
  const { uuid, record } = node
  const { kind } = procedureOf(record)
  const started_ms = Date.parse(internalOf(record, kind, 'started_at') ?? '')
  const duration_s = Math.round(Date.now() - started_ms) / 1000
  const planned = currentStepOf(record)
  parts.log.info('step finished', { node: uuid, interface: planned?.interface, step: planned?.step, duration_s })
  if (planned) await readAfter(parts, node, planned.interface, parts.background.stopping)
}
