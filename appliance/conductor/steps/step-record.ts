/** Where a deploy stands, written to its node before the step runs, and told in the log. */
import type { Node } from '../../nodes/node.ts'
import { merged, nodeOf, type Parts } from '../parts.ts'
import type { PlannedStep } from './plan.ts'

/** Resolves when durable: after a restart it is known which step was cut off. */
export async function startStep(parts: Parts, uuid: string, index: number, planned: PlannedStep): Promise<Node> {
  const { interface: name, step, priority, args } = planned
  const node = await parts.store.nodes.update(uuid, ({ driver_internal_info }) => ({
    wait: null,
    deploy_step: { interface: name, step, priority, ...(Object.keys(args).length > 0 ? { args } : {}) },
    driver_internal_info: merged(driver_internal_info, {
      deploy_step_index: index,
      deploy_step_started_at: new Date().toISOString(),
      agent_command_id: undefined,
    }),
  }))
  parts.log.info('step started', { node: uuid, interface: name, step })
  return node
}

export function finishStep(parts: Parts, uuid: string): void {
  const { deploy_step, driver_internal_info } = nodeOf(parts, uuid)
  const started_ms = Date.parse(String(driver_internal_info.deploy_step_started_at))
  const duration_s = Math.round(Date.now() - started_ms) / 1000
  const { interface: name, step } = deploy_step
  parts.log.info('step finished', { node: uuid, interface: name, step, duration_s })
}
