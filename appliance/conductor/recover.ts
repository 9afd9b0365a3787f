/** After a start: every node that was on its way goes on, or fails with the reason. Reservations are gone by themselves. */
import type { Node, ProvisionState } from '../records/kinds/node.ts'
import type { Parts } from './parts/parts.ts'
import { isWaiting, underWay } from './procedures/procedure.ts'
import type { StepRunner } from './steps/runner.ts'
import { unlessStopped } from './verbs/provision.ts'
import { tearDown } from './verbs/tear-down.ts'
import { verify } from './verbs/verify.ts'

const ALWAYS_HELD: readonly ProvisionState[] = ['verifying', 'deleting', 'cleaning', 'deploying']

/** On its way, and nobody is at it: whoever was could not even write down that it failed. */
export const isOrphan = ({ provision_state, reservation }: Node): boolean =>
  reservation === null && ALWAYS_HELD.includes(provision_state)

/** Resolves when all that nobody else holds are held; their work goes on behind. */
export async function recover(parts: Parts, runner: StepRunner, concerns: (node: Node) => boolean): Promise<void> {
  for (const node of parts.store.nodes.all()) {
    if (!concerns(node)) continue
    const { uuid, provision_state, target_power_state } = node
    if (target_power_state !== null) await parts.store.nodes.update(uuid, { target_power_state: null })
    if (isWaiting(node)) runner.waitOn(uuid)
    else if (workFor(parts, runner, node)) {
      parts.log.info('node goes on', { node: uuid, provision_state })
      parts.jobs.run('recovery', uuid, () => unlessStopped(parts, () => takeUp(parts, runner, uuid)))
    }
  }
}

/** By the time the node is free it may be elsewhere, or gone. */
async function takeUp(parts: Parts, runner: StepRunner, uuid: string): Promise<void> {
  const release = await parts.holds.takeInTurn(uuid, parts.jobs.stopping)
  try {
    const node = parts.store.nodes.get(uuid)
    if (node) await workFor(parts, runner, node)?.()
  } finally {
    await release()
  }
}

function workFor(parts: Parts, runner: StepRunner, node: Node): (() => Promise<void>) | undefined {
  const { uuid } = node
  const failed = runner.failedWay(node)
  if (failed) return () => failed.endFailure(uuid)
  if (node.provision_state === 'verifying') return () => verify(parts, uuid)
  if (node.provision_state === 'deleting') return () => tearDown(parts, runner, uuid)
  if (underWay(node)) return () => runner.goOn(uuid)
  return undefined
}
