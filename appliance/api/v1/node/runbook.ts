/** A runbook that a request names: its steps take the place of steps in the body. */
import { InvalidParameterValue } from '../../../errors.ts'
import type { Node } from '../../../records/kinds/node.ts'
import type { Runbook } from '../../../records/kinds/runbook.ts'
import { requireMinor } from '../../microversions.ts'
import type { ApiParts } from '../../parts.ts'
import { findRecord } from '../../resource.ts'
import type { ProvisionBody } from './provision.ts'

const SINCE = 92
/** Since when a runbook has traits, and any name. */
export const TRAITS_SINCE = 112
const FIELD_OF: Readonly<Record<string, 'clean_steps' | 'service_steps'>> = {
  clean: 'clean_steps',
  service: 'service_steps',
}

/**
 * The body with the runbook's steps in it.
 * @source Ironic NodeStatesController._handle_runbook
 * @throws InvalidParameterValue, NotFound
 */
export function withRunbook(
  { store }: Pick<ApiParts, 'store'>,
  node: Node,
  { runbook: named, ...body }: ProvisionBody,
  minor: number,
): ProvisionBody {
  if (!named) return body
  requireMinor(minor, SINCE)
  const runbook = findRecord({ noun: 'Runbook', named: 0, records: store.runbooks }, named, minor)
  checkApproved(node, runbook, minor)
  const field = Object.hasOwn(FIELD_OF, body.target) ? FIELD_OF[body.target] : undefined
  if (!field) {
    throw new InvalidParameterValue(
      `"runbooks" is only valid when setting target provision state to any of ['clean', 'service']`,
    )
  }
  if (body[field]?.length) {
    throw new InvalidParameterValue(`Please provide either "${field}" or a runbook, but not both.`)
  }
  const steps = [...runbook.steps].sort((a, b) => a.order - b.order)
  return {
    ...body,
    [field]: steps.map(({ interface: name, step, args }) => ({ interface: name, step, args })),
    disable_ramdisk: runbook.disable_ramdisk,
  }
}

/** @throws InvalidParameterValue  the node has no trait that approves of it */
function checkApproved(node: Node, { uuid, name, traits }: Runbook, minor: number): void {
  if (minor < TRAITS_SINCE) {
    if (node.traits.includes(name)) return
    throw new InvalidParameterValue(
      `This runbook has not been approved for use on this node ${node.uuid}. Please ask an administrator to add it to your node traits.`,
    )
  }
  if (traits.length === 0) {
    throw new InvalidParameterValue(
      `Runbook ${uuid} has no traits configured. Please ask an administrator to add traits to the runbook.`,
    )
  }
  if (traits.some((trait) => node.traits.includes(trait))) return
  throw new InvalidParameterValue(
    `This runbook has not been approved for use on this node ${node.uuid}. The node does not have any of the runbook's traits ` +
      `[${[...traits]
        .sort()
        .map((trait) => `'${trait}'`)
        .join(', ')}]. Please ask an administrator to add a matching trait to your node.`,
  )
}
