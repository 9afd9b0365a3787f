/** After a start, each node that was in a procedure goes on, or fails with the reason. */
import type { Node, ProvisionState } from '../records/kinds/node.ts'
import { unlessStopped } from './parts/background.ts'
import { isHeld, isWaiting } from './procedures/procedure.ts'
import { unrescue } from './rescue/unrescue.ts'
import { handleOf, type NodeHandle } from './states/node-handle.ts'
import type { RunnerParts, StepRunner } from './steps/runner.ts'
import { adopt } from './verbs/adopt.ts'
import { tearDown } from './verbs/tear-down.ts'

const ALWAYS_RESERVED: readonly ProvisionState[] = [
  ...(['verifying', 'deleting', 'cleaning', 'deploying', 'adopting'] as const),
  ...(['rescuing', 'unrescuing', 'servicing', 'inspecting'] as const),
]

/** The node is in a procedure, and nobody has reserved it: whoever had could not even record the failure. */
export const isOrphan = ({ provision_state, reservation }: Node): boolean =>
  reservation === null && ALWAYS_RESERVED.includes(provision_state)

/** Resolves when each node that nobody else has reserved is reserved. The work goes on in the background. */
export async function recover(
  parts: RunnerParts,
  runner: StepRunner,
  concerns: (node: Node) => boolean,
): Promise<void> {
  for (const record of parts.store.nodes.all()) {
    if (!concerns(record)) continue
    const { uuid, provision_state, target_power_state } = record
    const node = handleOf(parts, uuid)
    if (target_power_state !== null) await node.update({ target_power_state: null })
    if (isWaiting(record)) runner.waitOn(node)
    else if (workFor(parts, runner, node)) {
      parts.log.info('node goes on', { node: uuid, provision_state })
      parts.background.run('recovery', uuid, () => unlessStopped(parts, () => takeUp(parts, runner, node)))
    }
  }
}

/** By the time the node is free, it may be in another state, or deleted. */
async function takeUp(parts: RunnerParts, runner: StepRunner, node: NodeHandle): Promise<void> {
  const release = await parts.reservations.takeWhenFree(node.uuid, parts.background.stopping)
  try {
    if (node.exists) await workFor(parts, runner, node)?.()
  } finally {
    await release()
  }
}

function workFor(parts: RunnerParts, runner: StepRunner, node: NodeHandle): (() => Promise<void>) | undefined {
  const { record } = node
  const failed = runner.failed(record)
  if (failed) return () => failed.endFailure(parts, node)
  if (record.provision_state === 'deleting') return () => tearDown(parts, runner, node)
  if (record.provision_state === 'unrescuing') return () => unrescue(parts, node)
  if (record.provision_state === 'adopting') return () => adopt(parts, node)
  if (runner.at(record) && !isHeld(record)) return () => runner.goOn(node)
  return undefined
}
