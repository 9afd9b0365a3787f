/** The verb `deleted`: takes a node's instance away, and has its machine cleaned. */
import { messageOf } from '../../errors.ts'
import { forgetBoot } from '../boot/record.ts'
import { cleanUp, DEPLOY_LEFTOVERS } from '../deploy/end.ts'
import { boundBeyond, boundSecrets } from '../interfaces/bound-secrets.ts'
import { keepsPower, setPower } from '../power/power.ts'
import { cleared } from '../procedures/procedure.ts'
import { RESCUE_LEFTOVERS } from '../rescue/rescue.ts'
import { SERVICE_LEFTOVERS } from '../service/end.ts'
import type { NodeHandle } from '../states/node-handle.ts'
import type { ProcedureParts } from '../steps/procedure.ts'
import type { StepRunner } from '../steps/runner.ts'
import { IMAGE_LEFTOVERS, releaseImage } from '../task/container-images.ts'

/** What a node knows of its instance besides instance_info. @source Ironic manager._do_node_tear_down */
const OF_INSTANCE = {
  ...DEPLOY_LEFTOVERS,
  ...SERVICE_LEFTOVERS,
  ...RESCUE_LEFTOVERS,
  ...IMAGE_LEFTOVERS,
  ...cleared('instance', 'root_uuid_or_disk_id', 'is_whole_disk_image', 'deploy_boot_mode', 'automatic_lessee'),
}

/** The node is reserved and `deleting`; afterwards it is cleaned. May come again after a restart. */
export async function tearDown(parts: ProcedureParts, runner: StepRunner, node: NodeHandle): Promise<void> {
  const { uuid } = node
  try {
    await forgetBoot(parts, uuid)
    await cleanUp(parts, node)
    if (!keepsPower(parts, node.record)) {
      await setPower(parts, node, 'power off', { signal: parts.background.stopping })
    }
  } catch (cause) {
    if (parts.background.stopping.aborted) return
    await node.move('fail', { error: new Error(`Failed to tear down. Error: ${messageOf(cause)}`, { cause }) })
    return
  }
  await releaseImage(parts, uuid)
  const { allocation_uuid, driver_internal_info } = node.record
  await node.move('clean', {
    error: null,
    instance_info: {},
    instance_uuid: null,
    instance_name: null,
    ...(driver_internal_info.automatic_lessee ? { lessee: null } : {}),
    allocation_uuid: null,
    deploy_step: {},
    internal: { ...OF_INSTANCE, ...boundBeyond(node.record, boundSecrets(parts)) },
  })
  const { allocations } = parts.store
  // What a crash leaves of it here is deleted at the next start.
  if (allocation_uuid !== null && allocations.get(allocation_uuid)) await allocations.delete(allocation_uuid)
  await runner.begin(node)
}
