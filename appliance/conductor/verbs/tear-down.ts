/** The verb `deleted`: takes a node's instance away, and has its machine cleaned. */
import { messageOf } from '../../errors.ts'
import { forgetBoot } from '../boot/record.ts'
import { cleanUp, DEPLOY_TRACES } from '../deploy/end.ts'
import { merged, nodeOf, type Parts } from '../parts/parts.ts'
import { keepsPower, setPower } from '../power/power.ts'
import { move } from '../states/transitions.ts'
import type { StepRunner } from '../steps/runner.ts'
import { IMAGE_TRACES, releaseImage } from '../task/container-images.ts'

/** What a node knows of its instance besides instance_info. @source Ironic manager._do_node_tear_down */
const INSTANCE_TRACES = {
  ...DEPLOY_TRACES,
  ...IMAGE_TRACES,
  instance: undefined,
  root_uuid_or_disk_id: undefined,
  is_whole_disk_image: undefined,
  deploy_boot_mode: undefined,
} as const

/** The node is held and `deleting`; afterwards it is cleaned. May come again after a restart. */
export async function tearDown(parts: Parts, runner: StepRunner, uuid: string): Promise<void> {
  try {
    await forgetBoot(parts, uuid)
    await cleanUp(parts, uuid)
    if (!keepsPower(parts, nodeOf(parts, uuid))) {
      await setPower(parts, uuid, 'power off', { signal: parts.jobs.stopping })
    }
  } catch (error) {
    if (parts.jobs.stopping.aborted) return
    await move(parts, uuid, 'fail', { last_error: `Failed to tear down. Error: ${messageOf(error)}` })
    return
  }
  await releaseImage(parts, uuid)
  await move(parts, uuid, 'clean', ({ driver_internal_info }) => ({
    last_error: null,
    instance_info: {},
    instance_uuid: null,
    deploy_step: {},
    driver_internal_info: merged(driver_internal_info, INSTANCE_TRACES),
  }))
  await runner.begin(uuid)
}
