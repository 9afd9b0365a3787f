/** A node and its ports as an agent is given them with a command: every field, but nothing that opens the BMC. */
import { MASK, maskSecrets } from '@appliance/ground/secret-words'
import type { Json } from '../../plugin-api/index.ts'
import { PROCEDURE_KINDS } from '../../records/kinds/internal-info.ts'
import type { Node } from '../../records/kinds/node.ts'
import type { Port } from '../../records/kinds/port.ts'
import type { Store } from '../../records/store.ts'
import { leftovers, namesOf } from '../procedures/procedure.ts'

/** Of the engine of steps: an agent has no use for it. */
const OURS: readonly string[] = PROCEDURE_KINDS.flatMap((kind) => [
  ...Object.keys(leftovers(kind)),
  namesOf(kind).keys.offered,
])

/**
 * What an agent needs of a pull secret it is given with its command: a stranger's container may run beside it, and read
 * its memory.
 * @source Ironic objects/node.py as_dict(secure=True): driver_info and driver_internal_info masked, instance_info
 * plain; LP 2155826
 */
export function nodeForAgent(node: Node): Json {
  const { wait: _wait, interfaces, driver_info, driver_internal_info, instance_info, ...fields } = node
  const internal = Object.entries(driver_internal_info).filter(([key]) => !OURS.includes(key))
  return {
    ...fields,
    ...Object.fromEntries(Object.entries(interfaces).map(([type, name]) => [`${type}_interface`, name])),
    driver_info: maskSecrets(driver_info),
    instance_info: withoutPullSecret(instance_info),
    driver_internal_info: maskSecrets(Object.fromEntries(internal)),
  }
}

function withoutPullSecret({ image_pull_secret, ...fields }: Json): Json {
  return image_pull_secret === undefined ? fields : { ...fields, image_pull_secret: MASK }
}

export function portsForAgent(store: Pick<Store, 'ports'>, node_uuid: string): Json[] {
  return store.ports.where('node_uuid', node_uuid).map((port: Port) => ({ ...port }))
}
