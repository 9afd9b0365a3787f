/** A node and its ports as an agent is given them with a command: every field, but nothing that opens the BMC. */
import { maskSecrets } from '../../log.ts'
import type { Node } from '../../nodes/node.ts'
import type { Port } from '../../nodes/port.ts'
import type { Store } from '../../nodes/store.ts'
import type { Json } from '../../plugin-api/index.ts'
import { DEPLOY_TRACES } from './plan.ts'

/** @source Ironic objects/node.py as_dict(secure=True): driver_info and driver_internal_info masked, instance_info plain */
export function nodeForAgent(node: Node): Json {
  const { wait: _wait, interfaces, driver_info, driver_internal_info, ...fields } = node
  const internal = Object.entries(driver_internal_info).filter(
    ([key]) => !(key in DEPLOY_TRACES) && key !== 'agent_cached_deploy_steps',
  )
  return {
    ...fields,
    ...Object.fromEntries(Object.entries(interfaces).map(([type, name]) => [`${type}_interface`, name])),
    driver_info: maskSecrets(driver_info),
    driver_internal_info: maskSecrets(Object.fromEntries(internal)),
  }
}

export function portsForAgent(store: Pick<Store, 'ports'>, node_uuid: string): Json[] {
  return store.ports.ofNode(node_uuid).map((port: Port) => ({ ...port }))
}
