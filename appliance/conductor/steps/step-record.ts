/** Where a procedure stands, written to its node before the step runs, and told in the log. */
import type { Parts } from '../parts/parts.ts'
import { currentStepOf, type PlannedStep } from '../procedures/plan.ts'
import { procedureOf, stepShown } from '../procedures/procedure.ts'
import type { NodeHandle } from '../states/node-handle.ts'

/** Resolves when durable: after a restart it is known which step was cut off. */
export async function startStep(
  { log }: Pick<Parts, 'log'>,
  node: NodeHandle,
  index: number,
  planned: PlannedStep,
): Promise<void> {
  const { interface: name, step, priority, args, abortable } = planned
  const { kind, keys } = procedureOf(node.record)
  const shown = {
    ...{ interface: name, step, priority },
    ...(Object.keys(args).length > 0 ? { args } : {}),
    ...(abortable === undefined ? {} : { abortable }),
  }
  await node.update({
    wait: null,
    ...stepShown(kind, shown),
    internal: {
      [keys.index]: index,
      [keys.started_at]: new Date().toISOString(),
      agent_command_id: undefined,
    },
  })
  log.info('step started', { node: node.uuid, interface: name, step })
}

export function finishStep({ log }: Pick<Parts, 'log'>, { uuid, record }: NodeHandle): void {
  const { keys } = procedureOf(record)
  const started_ms = Date.parse(String(record.driver_internal_info[keys.started_at]))
  const duration_s = Math.round(Date.now() - started_ms) / 1000
  const planned = currentStepOf(record)
  log.info('step finished', { node: uuid, interface: planned?.interface, step: planned?.step, duration_s })
}
