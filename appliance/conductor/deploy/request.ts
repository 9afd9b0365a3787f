/** What is checked of a deploy before it begins, so that whoever asked gets the answer at once. */
import { ApplianceError, InvalidParameterValue, MissingParameterValue, messageOf } from '../../errors.ts'
import { encodeConfigDrive } from '../../images/config-drive.ts'
import type { Node } from '../../nodes/node.ts'
import type { Json } from '../../plugin-api/index.ts'
import type { ProvisionRequest } from '../conductor.ts'
import { merged, type Parts, pluginOf } from '../parts.ts'
import type { PlannedStep } from '../steps/plan.ts'
import { validateBoot, validateDeploy, validatePower } from '../validate.ts'
import { createKit } from './agent-flow.ts'
import { parseUserSteps, planSteps } from './plan.ts'

export type DeployRequest = { instance_info: Json; user_deploy_steps: readonly PlannedStep[] | undefined }

const CONFIG_DRIVE_KEYS = ['meta_data', 'network_data', 'user_data', 'vendor_data']
/** As the last partition of a disk, in base64. */
const CONFIG_DRIVE_LIMIT = 96 * 1024 * 1024

/** @throws InvalidParameterValue, MissingParameterValue  in Ironic's words */
export async function deployRequest(parts: Parts, node: Node, request: ProvisionRequest): Promise<DeployRequest> {
  try {
    validatePower(parts, node)
    await validateBoot(parts, node)
    await validateDeploy(parts, node)
  } catch (error) {
    // A plugin's refusal is the caller's to mend, whatever it was thrown as.
    const Refusal = error instanceof MissingParameterValue ? MissingParameterValue : InvalidParameterValue
    if (!(error instanceof ApplianceError)) parts.log.error('validate threw', { node: node.uuid, error })
    throw new Refusal(`Failed to validate deploy or power info for node ${node.uuid}. Error: ${messageOf(error)}`, {
      cause: error,
    })
  }
  const user = parseUserSteps(request.deploy_steps ?? [])
  const plugin = pluginOf(parts, node)
  planSteps({ plugin: plugin.deploySteps(createKit(parts)), offered: plugin.usesAgent ? undefined : [], user })
  const configdrive = await configDriveFor(request.configdrive, parts.jobs.stopping)
  return {
    instance_info: configdrive === undefined ? node.instance_info : merged(node.instance_info, { configdrive }),
    user_deploy_steps: user.length > 0 ? user : undefined,
  }
}

/** undefined: none was given, and one of before stays. */
async function configDriveFor(
  given: ProvisionRequest['configdrive'],
  signal: AbortSignal,
): Promise<string | undefined> {
  if (given === undefined || given === null || given === '') return undefined
  if (typeof given === 'string') return checkedText(given)
  const strange = Object.keys(given).find((key) => !CONFIG_DRIVE_KEYS.includes(key))
  if (strange !== undefined) {
    throw new InvalidParameterValue(
      `configdrive holds "${strange}": expected only ${CONFIG_DRIVE_KEYS.join(', ')}, or a string.`,
    )
  }
  return encodeConfigDrive(given, signal)
}

function checkedText(text: string): string {
  if (/^https?:\/\//i.test(text) && URL.canParse(text)) return text
  if (text.length <= CONFIG_DRIVE_LIMIT && /^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(text)) return text
  throw new InvalidParameterValue(
    'configdrive is neither an http(s) URL nor base64 of a gzipped ISO9660 image (at most 64 MiB).',
  )
}
