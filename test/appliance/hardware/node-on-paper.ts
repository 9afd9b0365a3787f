/** A node record with every field, for tests that need no store. */
import { INTERFACE_TYPES, type Node, newNode } from '../../../appliance/records/kinds/node.ts'

export function nodeOnPaper(change: Partial<Node> = {}): Node {
  const interfaces = Object.fromEntries(INTERFACE_TYPES.map((type) => [type, 'noop'])) as Node['interfaces']
  return newNode({ uuid: '1be26c0b-03f2-4d2e-ae87-c02d7f33c123', driver: 'ipmi', interfaces, ...change })
}
