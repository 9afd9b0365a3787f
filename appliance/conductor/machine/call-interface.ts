/** One call of a node's implementation of an interface, with a deadline. */
import type { Interfaces, InterfaceTask } from '../../plugin-api/interfaces.ts'
import type { Node } from '../../records/kinds/node.ts'
import { interfaceOf, interfaceTask } from '../interfaces/interface-of.ts'
import type { Parts } from '../parts/parts.ts'
import { BMC_DEADLINE_S, limited, type PowerParts } from '../power/power.ts'

/**
 * @param deadline_s  left out: what a BMC has for one answer
 * @throws what `act` throws, the deadline as BmcFailure; as interfaceOf and interfaceTask
 */
export function callInterface<K extends keyof Interfaces, T>(
  parts: PowerParts & Pick<Parts, 'background'>,
  { node, type, deadline_s = BMC_DEADLINE_S }: { node: Node; type: K; deadline_s?: number },
  act: (implementation: Interfaces[K], task: InterfaceTask) => Promise<T>,
): Promise<T> {
  return limited(parts.background.stopping, deadline_s, async (limit) =>
    act(interfaceOf(parts, node, type), interfaceTask(parts, node, type, limit)),
  )
}
