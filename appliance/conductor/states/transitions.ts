/** Changes a node's provision_state along the table, durably and logged. Decides nothing. */
import type { Node } from '../../records/kinds/node.ts'
import type { Parts } from '../parts/parts.ts'
import { type Event, stateAfter, targetAfter, type Verb } from './state-machine.ts'

export type Change = Partial<Node> | ((node: Node) => Partial<Node>)

/** Resolves when durable. `change` is written together with the new state. */
export async function move(parts: Parts, uuid: string, way: Verb | Event, change: Change = {}): Promise<Node> {
  let from = ''
  const node = await parts.store.nodes.update(uuid, (before) => {
    from = before.provision_state
    const to = stateAfter(before.provision_state, way)
    return {
      wait: null,
      ...(typeof change === 'function' ? change(before) : change),
      provision_state: to,
      target_provision_state: targetAfter(before, way, to),
      provision_updated_at: new Date().toISOString(),
    }
  })
  parts.log.info('provision state changed', {
    node: uuid,
    from,
    to: node.provision_state,
    target: node.target_provision_state,
    ...(node.last_error ? { last_error: node.last_error } : {}),
  })
  return node
}
