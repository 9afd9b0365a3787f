/** DELETE /v1/nodes/{node}: when it may go. */
import { Conflict, Forbidden } from '../../../errors.ts'
import type { Node, ProvisionState } from '../../../records/kinds/node.ts'

/**
 * @source Ironic states.DELETE_ALLOWED_STATES, and [conductor] allow_deleting_available_nodes, which defaults to true
 */
const DELETE_ALLOWED: readonly ProvisionState[] = ['manageable', 'enroll', 'adopt failed', 'available']

/** @throws Conflict, Forbidden */
export function checkDeletable(node: Node): void {
  if (!node.maintenance && node.instance_uuid !== null) {
    throw new Conflict(`Node ${node.uuid} is associated with instance ${node.instance_uuid}.`)
  }
  if (node.protected) {
    throw new Forbidden(`Node ${node.uuid} is protected and cannot be undeployed, rebuilt or deleted`)
  }
  if (!node.maintenance && !DELETE_ALLOWED.includes(node.provision_state)) {
    throw new Conflict(
      `Can not delete node "${node.uuid}" while it is in provision state "${node.provision_state}". Valid provision states ` +
        `to perform deletion are: "${DELETE_ALLOWED.join(', ')}", or set the node into maintenance mode`,
    )
  }
}
