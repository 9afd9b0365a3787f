/** The end of a deploy, good or bad: what it left behind is taken away, and the record says how it went. */
import { DeployFailure, messageOf } from '../../errors.ts'
import { endProcedureBoot, forgetBoot, releaseFiles } from '../boot/record.ts'
import { merged, nodeOf, type Parts, setInternal } from '../parts/parts.ts'
import { keepsPower, setPower } from '../power/power.ts'
import { DEPLOY, tracesOf, underWay } from '../procedures/procedure.ts'
import { move } from '../states/transitions.ts'
import { cleanUpByPlugin, lastErrorOf } from '../steps/failing.ts'
import { endTickets, keepOnlyDeployed } from '../task/container-images.ts'

/** What of a deploy is in driver_internal_info, and gone with its end. */
export const DEPLOY_TRACES = { ...tracesOf(DEPLOY), container_image_deployed: undefined } as const

/** The plugin's cleanUp, and links to images and files, but those that the instance boots from. Their failures are noted, and change nothing. */
export async function cleanUp(parts: Parts, uuid: string): Promise<void> {
  await cleanUpByPlugin(parts, uuid)
  await endTickets(parts, uuid)
  await releaseFiles(parts, uuid)
}

/** The node is held and `deploying`. */
export async function finishDeploy(parts: Parts, uuid: string): Promise<void> {
  await cleanUp(parts, uuid)
  const image = await keepOnlyDeployed(parts, nodeOf(parts, uuid))
  await endProcedureBoot(parts, uuid)
  await move(parts, uuid, 'done', (node) => ({
    last_error: null,
    deploy_step: {},
    driver_internal_info: merged(node.driver_internal_info, { ...DEPLOY_TRACES, ...image }),
  }))
  parts.jobs.callOff(uuid, new DeployFailure('The deploy has ended.'))
  parts.onDeployEnd?.('active')
}

/** The node is held. Does nothing to one that is not being deployed. */
export async function failDeploy(
  parts: Parts,
  uuid: string,
  error: DeployFailure,
  way: 'fail' | 'abort' = 'fail',
): Promise<void> {
  if (underWay(nodeOf(parts, uuid)) !== DEPLOY) return
  parts.jobs.callOff(uuid, error)
  await move(parts, uuid, way, (node) => ({
    last_error: lastErrorOf(error),
    deploy_step: {},
    // Until the machine is off: found again after a restart.
    driver_internal_info: merged(node.driver_internal_info, {
      [DEPLOY.keys.cleanup_pending]: true,
    }),
  }))
  parts.onDeployEnd?.('failed')
  await endFailure(parts, uuid)
}

/** May come again after a restart. */
export async function endFailure(parts: Parts, uuid: string): Promise<void> {
  await forgetBoot(parts, uuid)
  await cleanUp(parts, uuid)
  if (parts.config.deploy.power_off_after_deploy_failure && !keepsPower(parts, nodeOf(parts, uuid))) {
    await setPower(parts, uuid, 'power off', { signal: parts.jobs.stopping }).catch((error: unknown) => {
      parts.jobs.stopping.throwIfAborted()
      parts.log.warn('machine of a failed deploy not powered off', { node: uuid, reason: messageOf(error) })
    })
  }
  await setInternal(parts, uuid, DEPLOY_TRACES)
}

export const aborted = (uuid: string) => new DeployFailure(`The deploy of node ${uuid} was aborted on request.`)
