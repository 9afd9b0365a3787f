/**
 * The body of PUT states/provision: which of its fields goes with which verb and version. Whether the verb fits the
 * node, the conductor says.
 */
import { z } from 'zod'
import type { ProvisionRequest } from '../../../conductor/procedures/request.ts'
import { InvalidParameterValue } from '../../../errors.ts'
import type { Node } from '../../../records/kinds/node.ts'
import { requireMinor } from '../../microversions.ts'
import { dict, flag, integer, list, text } from '../../schema.ts'

const STEP_INTERFACES = ['vendor', 'power', 'management', 'firmware', 'deploy', 'bios', 'raid'] as const
const stepInterface = z.enum(STEP_INTERFACES, `expected one of ${STEP_INTERFACES.join(', ')}`)
const notNegative = integer.refine((value) => value >= 0, 'expected at least 0')
const deployStep = z.strictObject({
  interface: stepInterface,
  step: text.min(1, 'expected a name'),
  args: dict,
  priority: notNegative,
})
const step = z.strictObject({
  interface: stepInterface,
  step: text.min(1, 'expected a name'),
  args: dict.optional(),
  order: notNegative.optional(),
  execute_on_child_nodes: flag.optional(),
  limit_child_node_execution: z.array(z.unknown(), 'expected a list').optional(),
})
const configdriveObject = z.strictObject({
  meta_data: dict.optional(),
  network_data: dict.optional(),
  user_data: z
    .union([text, dict, z.array(z.unknown()), z.null()], 'expected a string, an object, a list or null')
    .optional(),
  vendor_data: dict.optional(),
})

export const PROVISION_BODY = z.strictObject({
  target: text,
  configdrive: z
    .union(
      [text, configdriveObject, z.null()],
      'expected a string or an object of meta_data, network_data, user_data, vendor_data',
    )
    .optional(),
  clean_steps: list(step).nullable().optional(),
  deploy_steps: list(deployStep).nullable().optional(),
  service_steps: list(step).nullable().optional(),
  rescue_password: text.nullable().optional(),
  disable_ramdisk: flag.nullable().optional(),
  runbook: text.nullable().optional(),
})
export type ProvisionBody = z.output<typeof PROVISION_BODY>

/** Since when a verb may be asked for. @source Ironic MIN_VERB_VERSIONS, check_allow_* */
const VERB_SINCE: Readonly<Record<string, number>> = {
  manage: 4,
  provide: 4,
  inspect: 6,
  abort: 13,
  clean: 15,
  adopt: 17,
  rescue: 38,
  unrescue: 38,
  deploy: 73,
  undeploy: 73,
  unhold: 85,
  service: 87,
}
/** The conductor looks at all of a config drive, piece by piece: it may have 86 million characters. */
const DRIVE_BEGINNING = 64 * 1024
const BASE64 = /^[A-Za-z0-9+/=\s]*$/

/** Fields of the body that belong to some verbs only, since when, and what the others are told. */
const BELONGS: readonly { field: keyof ProvisionBody; verbs: readonly string[]; since: number; refusal: string }[] = [
  {
    field: 'clean_steps',
    verbs: ['clean'],
    since: 15,
    refusal: '"clean_steps" is only valid when setting target provision state to clean',
  },
  {
    field: 'deploy_steps',
    verbs: ['active', 'deploy', 'rebuild'],
    since: 69,
    refusal: '"deploy_steps" is only valid when setting target provision state to active or rebuild',
  },
  {
    field: 'service_steps',
    verbs: ['service'],
    since: 87,
    refusal: '"service_steps" is only valid when setting target provision state to service',
  },
  {
    field: 'rescue_password',
    verbs: ['rescue'],
    since: 38,
    refusal: '"rescue_password" is only valid when setting target provision state to rescue',
  },
  {
    field: 'disable_ramdisk',
    verbs: ['clean', 'service'],
    since: 70,
    refusal: 'disable_ramdisk is supported only with manual cleaning or servicing',
  },
]

/** @param body  with the steps of its runbook in it (runbook.ts) @throws InvalidParameterValue */
export function checkProvision(node: Node, body: ProvisionBody, minor: number): ProvisionRequest {
  const { target, configdrive } = body
  const since = Object.hasOwn(VERB_SINCE, target) ? VERB_SINCE[target] : undefined
  if (since !== undefined) requireMinor(minor, since)
  if (target === 'abort' && node.provision_state === 'inspect wait') requireMinor(minor, 41)
  if (target === 'abort' && node.provision_state === 'wait call-back') requireMinor(minor, 110)
  for (const { field, verbs, since: fieldSince, refusal } of BELONGS) {
    const value = body[field]
    if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) continue
    if (!verbs.includes(target)) throw new InvalidParameterValue(refusal)
    requireMinor(minor, field === 'disable_ramdisk' && target === 'service' ? 108 : fieldSince)
  }
  if (configdrive) checkConfigDrive(target, configdrive, minor)
  checkNeeded(body)
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null)) as ProvisionRequest
}

function checkNeeded({ target, clean_steps, service_steps, rescue_password }: ProvisionBody): void {
  const needs = (field: string) =>
    new InvalidParameterValue(`${field} is required when setting target provision state to ${target}`)
  if (target === 'clean' && !clean_steps?.length) throw needs('"clean_steps"')
  if (target === 'service' && !service_steps?.length) throw needs('"service_steps"')
  if (target === 'rescue' && !rescue_password?.trim()) throw needs('A non-empty "rescue_password"')
}

/** @source Ironic check_allow_configdrive */
function checkConfigDrive(target: string, configdrive: string | object, minor: number): void {
  const targets = minor >= 35 ? ['active', 'deploy', 'rebuild'] : ['active', 'deploy']
  if (!targets.includes(target)) {
    throw new InvalidParameterValue(
      `Adding a config drive is only supported when setting provision state to ${targets.join(', ')}`,
    )
  }
  if (typeof configdrive === 'string') {
    const beginning = configdrive.slice(0, DRIVE_BEGINNING)
    if (beginning.includes('://') || BASE64.test(beginning)) return
    throw new InvalidParameterValue('Invalid configdrive format: it is neither a JSON, nor a URL, nor a base64 string')
  }
  const since = 'vendor_data' in configdrive ? 59 : 56
  if (minor < since) {
    throw new InvalidParameterValue(
      since === 59
        ? 'Providing vendor_data in configdrive is only supported starting with API version 1.59'
        : 'Providing a JSON object for configdrive is only supported starting with API version 1.56',
    )
  }
}
