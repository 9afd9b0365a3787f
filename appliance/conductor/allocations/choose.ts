/** Which nodes an allocation may get. Reads records, touches nothing. */
import { randomInt } from 'node:crypto'
import { InvalidParameterValue } from '../../errors.ts'
import type { Allocation } from '../../records/kinds/allocation.ts'
import type { Node } from '../../records/kinds/node.ts'

/** No node fits, or none could be had. Ironic answers 500; for who asks for a node by its name it is the request. */
export class AllocationFailed extends InvalidParameterValue {
  constructor({ uuid }: Pick<Allocation, 'uuid'>, reason: string) {
    super(`Failed to process allocation ${uuid}: ${reason}.`)
  }
}

/** Whether the node can be had now. @source Ironic conductor/allocations._candidate_nodes, _verify_node */
export const isFree = (node: Node, { resource_class }: Allocation): boolean =>
  node.resource_class === resource_class &&
  node.provision_state === 'available' &&
  node.instance_uuid === null &&
  node.power_state !== null &&
  !node.maintenance

export const hasTraits = (node: Node, { traits }: Allocation): boolean =>
  traits.every((trait) => node.traits.includes(trait))

const isOf = ({ owner, lessee }: Node, project: string | null): boolean =>
  project === null || owner === project || lessee === project

/**
 * In the order in which they are to be tried: that of the allocation's name first, the others by chance, so that
 * allocations side by side do not all ask for the same one.
 * @throws AllocationFailed
 */
export function candidates(all: Iterable<Node>, allocation: Allocation): Node[] {
  const { candidate_nodes: asked, resource_class, owner, traits } = allocation
  const free = [...all].filter(
    (node) =>
      (asked.length === 0 || asked.includes(node.uuid)) &&
      isFree(node, allocation) &&
      isOf(node, owner) &&
      node.parent_node === null,
  )
  if (free.length === 0) {
    const reason =
      asked.length > 0
        ? `none of the requested nodes are available and match the resource class ${resource_class}`
        : `no available nodes match the resource class ${resource_class}`
    throw new AllocationFailed(allocation, reason)
  }
  const fit = free.filter((node) => hasTraits(node, allocation))
  if (fit.length === 0) {
    throw new AllocationFailed(allocation, `no suitable nodes have the requested traits ${traits.join(', ')}`)
  }
  const [named, others] = [fit.filter((node) => isNamed(node, allocation)), fit.filter((n) => !isNamed(n, allocation))]
  return [...named, ...shuffled(others)]
}

const isNamed = (node: Node, { name }: Allocation): boolean => name !== null && node.name === name

function shuffled<T>(items: readonly T[]): T[] {
  const left = [...items]
  return items.flatMap(() => left.splice(randomInt(left.length), 1))
}

/** Why a node in use is not the one that this allocation stands for; none: it is. */
export function mismatches(node: Node, allocation: Allocation): string[] {
  const { resource_class, traits, candidate_nodes } = allocation
  return [
    ...(node.provision_state === 'active'
      ? []
      : [`Node must be in the "active" state, but the current state is "${node.provision_state}"`]),
    ...(resource_class === null || node.resource_class === resource_class
      ? []
      : [`Resource class ${node.resource_class} does not match the requested resource class ${resource_class}`]),
    ...(hasTraits(node, allocation)
      ? []
      : [`List of traits ${node.traits.join(', ')} does not match the requested traits ${traits.join(', ')}`]),
    ...(candidate_nodes.length === 0 || candidate_nodes.includes(node.uuid)
      ? []
      : [`Candidate nodes must be empty or contain the target node, but got ${candidate_nodes.join(', ')}`]),
  ]
}
