/** Ends a deploy, good or bad: removes what it left behind, and says in the record how it went. */
import { messageOf } from '../../errors.ts'
import { endProcedureBoot, forgetBoot, releaseFiles } from '../boot/record.ts'
import { keepsPower, setPower } from '../power/power.ts'
import { leftovers } from '../procedures/procedure.ts'
import type { NodeHandle } from '../states/node-handle.ts'
import { cleanUpByPlugin } from '../steps/failing.ts'
import type { ProcedureParts } from '../steps/procedure.ts'
import { endTickets, keepOnlyDeployed } from '../task/container-images.ts'

/** What a deploy leaves in driver_internal_info, to be removed with its end. */
export const DEPLOY_LEFTOVERS = leftovers('deploy', 'container_image_deployed')

/**
 * Has the plugin clean up, and releases images and files, but those that the instance boots from. Failures are logged,
 * and change nothing.
 */
export async function cleanUp(parts: ProcedureParts, node: NodeHandle): Promise<void> {
  const { uuid } = node
  await cleanUpByPlugin(parts, node)
  await endTickets(parts, uuid)
  await releaseFiles(parts, uuid)
}

/** The node is reserved and `deploying`. */
export async function finishDeploy(parts: ProcedureParts, node: NodeHandle): Promise<void> {
  await cleanUp(parts, node)
  const image = await keepOnlyDeployed(parts, node.record)
  await endProcedureBoot(parts, node.uuid)
  parts.strangers.forget(node.uuid)
  await node.move('done', { error: null, deploy_step: {}, internal: { ...DEPLOY_LEFTOVERS, ...image } })
}

/** May come again after a restart. */
export async function endFailure(parts: ProcedureParts, node: NodeHandle): Promise<void> {
  const { uuid } = node
  await forgetBoot(parts, uuid)
  await cleanUp(parts, node)
  if (parts.config.deploy.power_off_after_deploy_failure && !keepsPower(parts, node.record)) {
    await setPower(parts, node, 'power off', { signal: parts.background.stopping }).catch((error: unknown) => {
      parts.background.stopping.throwIfAborted()
      parts.log.warn('machine of a failed deploy not powered off', { node: uuid, reason: messageOf(error) })
    })
  }
  await node.update({ internal: DEPLOY_LEFTOVERS })
}
