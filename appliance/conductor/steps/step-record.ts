/** Where a procedure stands, written to its node before the step runs, and told in the log. */

import type { Json } from '../../plugin-api/index.ts'
import type { Node } from '../../records/kinds/node.ts'
import { merged, nodeOf, type Parts } from '../parts/parts.ts'
import type { PlannedStep } from '../procedures/plan.ts'
import { type Procedure, procedureOf } from '../procedures/procedure.ts'

/** Resolves when durable: after a restart it is known which step was cut off. */
export async function startStep(parts: Parts, uuid: string, index: number, planned: PlannedStep): Promise<Node> {
  const { interface: name, step, priority, args, abortable } = planned
  const procedure = procedureOf(nodeOf(parts, uuid))
  const shown = {
    ...{ interface: name, step, priority },
    ...(Object.keys(args).length > 0 ? { args } : {}),
    ...(abortable === undefined ? {} : { abortable }),
  }
  const node = await parts.store.nodes.update(uuid, ({ driver_internal_info }) => ({
    wait: null,
    ...stepShown(procedure, shown),
    driver_internal_info: merged(driver_internal_info, {
      [procedure.keys.index]: index,
      [procedure.keys.started_at]: new Date().toISOString(),
      agent_command_id: undefined,
    }),
  }))
  parts.log.info('step started', { node: uuid, interface: name, step })
  return node
}

export function finishStep(parts: Parts, uuid: string): void {
  const node = nodeOf(parts, uuid)
  const { field, keys } = procedureOf(node)
  const started_ms = Date.parse(String(node.driver_internal_info[keys.started_at]))
  const duration_s = Math.round(Date.now() - started_ms) / 1000
  const { interface: name, step } = node[field]
  parts.log.info('step finished', { node: uuid, interface: name, step, duration_s })
}

/** The change of a node that shows `step`; {} shows none. */
export const stepShown = ({ kind }: Procedure, step: Json): Partial<Node> =>
  kind === 'deploy' ? { deploy_step: step } : { clean_step: step }
