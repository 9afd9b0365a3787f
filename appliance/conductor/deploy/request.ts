/** Checks a request to deploy before anything begins, so that the client gets the answer at once. */

import { isObject } from '@appliance/ground/json'
import { ApplianceError, InvalidParameterValue, MissingParameterValue, messageOf } from '../../errors.ts'
import { checkConfigDrive, encodeConfigDrive } from '../../images/config-drive.ts'
import type { AskedStep } from '../../records/kinds/internal-info.ts'
import type { Node } from '../../records/kinds/node.ts'
import { merged } from '../parts/parts.ts'
import { pluginOf } from '../plugin/plugin-of.ts'
import { checkAllowed } from '../procedures/disallowed.ts'
import { type ProvisionRequest, parseAskedSteps } from '../procedures/request.ts'
import { templateSteps, withTemplates } from '../procedures/templates.ts'
import type { NodeChange } from '../states/node-handle.ts'
import type { Procedure, ProcedureParts } from '../steps/procedure.ts'
import { planFor } from '../steps/sources.ts'
import { validateBoot, validateDeploy, validatePower } from '../validation/validate.ts'
import { DEPLOY_LEFTOVERS } from './end.ts'

const CONFIG_DRIVE_KEYS = ['meta_data', 'network_data', 'user_data', 'vendor_data']

/** @throws InvalidParameterValue, MissingParameterValue  in Ironic's words */
export async function deployRequest(
  parts: ProcedureParts,
  procedure: Procedure,
  node: Node,
  request: ProvisionRequest,
): Promise<NodeChange> {
  const offered = pluginOf(parts, node).usesAgent ? undefined : []
  const check = (user: readonly AskedStep[]) => void planFor(parts, procedure, node, { offered, user })
  let ofTemplates: readonly AskedStep[]
  try {
    await validatePower(parts, node)
    await validateBoot(parts, node)
    await validateDeploy(parts, node)
    ofTemplates = templateSteps(parts, node, check)
  } catch (error) {
    // A plugin's refusal is the caller's to mend, whatever it was thrown as.
    const Refusal = error instanceof MissingParameterValue ? MissingParameterValue : InvalidParameterValue
    if (!(error instanceof ApplianceError)) parts.log.error('validate threw', { node: node.uuid, error })
    throw new Refusal(`Failed to validate deploy or power info for node ${node.uuid}. Error: ${messageOf(error)}`, {
      cause: error,
    })
  }
  const asked = parseAskedSteps('deploy_steps', 'all', request.deploy_steps ?? [])
  checkAllowed(parts.config, 'deploy', asked)
  const user = withTemplates(asked, ofTemplates)
  check(user)
  const lessee = lesseeOf(parts, node)
  const configdrive = await configDriveFor(request.configdrive, node, parts.background.stopping)
  return {
    instance_info: configdrive === undefined ? node.instance_info : merged(node.instance_info, { configdrive }),
    ...(lessee && { lessee }),
    internal: {
      ...DEPLOY_LEFTOVERS,
      user_deploy_steps: user.length > 0 ? user : undefined,
      ...(lessee && { automatic_lessee: true }),
    },
  }
}

/** @source Ironic conductor/deployments.py apply_automatic_lessee: one that somebody gave the node stays */
function lesseeOf(
  { config: { conductor } }: ProcedureParts,
  { lessee, instance_info: { project_id } }: Node,
): string | undefined {
  const isWanted = conductor.automatic_lessee && conductor.automatic_lessee_source === 'instance' && lessee === null
  return isWanted && typeof project_id === 'string' && project_id !== '' ? project_id : undefined
}

/** @returns undefined: the request gives none, and an earlier config drive stays */
async function configDriveFor(
  given: ProvisionRequest['configdrive'],
  node: Node,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (given === undefined || given === null || given === '') {
    await checkDrive(node.instance_info.configdrive)
    return undefined
  }
  await checkDrive(given)
  return typeof given === 'string' ? given : encodeConfigDrive(given, node, signal)
}

/**
 * Checks also a drive that was set in instance_info earlier, which nobody has looked at yet.
 * @throws InvalidParameterValue
 */
async function checkDrive(drive: unknown): Promise<void> {
  if (drive === undefined || drive === null || drive === '') return
  if (typeof drive === 'string') return checkConfigDrive(drive)
  if (!isObject(drive)) {
    throw new InvalidParameterValue(
      `configdrive is ${Array.isArray(drive) ? 'a list' : `a ${typeof drive}`}: expected an object of ${CONFIG_DRIVE_KEYS.join(', ')}, or a string.`,
    )
  }
  const strange = Object.keys(drive).find((key) => !CONFIG_DRIVE_KEYS.includes(key))
  if (strange !== undefined) {
    throw new InvalidParameterValue(
      `configdrive holds "${strange}": expected only ${CONFIG_DRIVE_KEYS.join(', ')}, or a string.`,
    )
  }
}
