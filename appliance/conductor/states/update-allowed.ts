/** States in transition that are yet open to changes. @source Ironic states.UPDATE_ALLOWED_STATES */
import type { Node, ProvisionState } from '../../records/kinds/node.ts'

const UPDATE_ALLOWED: readonly ProvisionState[] = [
  'deploy failed',
  'inspecting',
  'inspect failed',
  'inspect wait',
  'clean failed',
  'error',
  'verifying',
  'adopt failed',
  'rescue failed',
  'unrescue failed',
  'servicing',
  'service hold',
  'service failed',
]

export const isInTransition = ({ target_provision_state, provision_state }: Node): boolean =>
  target_provision_state !== null && !UPDATE_ALLOWED.includes(provision_state)
