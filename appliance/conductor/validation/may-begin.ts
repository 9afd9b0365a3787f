/** What forbids a verb, whatever the procedure that it begins. */
import type { Config } from '../../config/options.ts'
import { ApplianceError, Conflict, Forbidden, InvalidParameterValue } from '../../errors.ts'
import type { Node, ProvisionState } from '../../records/kinds/node.ts'
import type { Store } from '../../records/store.ts'

/**
 * So many deploys or cleanings are under way that no more begin.
 * @source Ironic ConcurrentActionLimit, which does not tell the limit either
 */
class ConcurrentActionLimit extends ApplianceError {
  override readonly code = 503
}

/** @source Ironic NodeInMaintenance */
export function checkMaintenance({ uuid, maintenance }: Node, op: string): void {
  if (!maintenance) return
  throw new InvalidParameterValue(
    `The ${op} operation can't be performed on node ${uuid} because it's in maintenance mode.`,
  )
}

/** @source Ironic manager._do_abort */
export function checkMaintenanceOfAbort({ uuid, maintenance }: Node): void {
  if (!maintenance) return
  throw new Conflict(
    `Can not abort service on node "${uuid}" while it is in maintenance mode. Please remove the node from maintenance prior to issuing the request to abort the service operation.`,
  )
}

/** @source Ironic NodeProtected */
export function checkProtected(node: Node): void {
  if (!node.protected) return
  throw new Forbidden(`Node ${node.uuid} is protected and cannot be undeployed, rebuilt or deleted`)
}

/** @source Ironic NodeIsRetired */
export function checkRetired({ uuid, retired }: Node, op: string): void {
  if (!retired) return
  throw new InvalidParameterValue(`The ${op} operation can't be performed on node ${uuid} because it is retired.`)
}

/** @source Ironic _concurrent_action_limit */
export function checkConcurrency(
  { store, config }: { store: Pick<Store, 'nodes'>; config: Pick<Config, 'conductor'> },
  limit: 'max_concurrent_deploy' | 'max_concurrent_clean',
  states: readonly ProvisionState[],
): void {
  let under_way = 0
  for (const { provision_state } of store.nodes.all()) if (states.includes(provision_state)) under_way++
  if (under_way < config.conductor[limit]) return
  throw new ConcurrentActionLimit(
    'Unable to process request at this time. The concurrent action limit for provisioning has been reached. Please contact your administrator and try again later.',
  )
}
