/**
 * Exclusive locks on nodes, in memory: one task at a time holds a node. They end with the process (see NODES.volatile).
 */
import { NodeLocked } from '../errors.ts'
import type { Node } from './kinds/node.ts'
import type { Store } from './store.ts'

/**
 * Runs `work` while `hostname` stands in the node's `reservation`. Of two calls in one turn of the event loop, one gets
 * it.
 * @throws NodeLocked, NotFound, and whatever `work` throws
 */
export async function withReservation<T>(
  { nodes }: Pick<Store, 'nodes'>,
  hostname: string,
  uuid: string,
  work: (node: Node) => Promise<T>,
): Promise<T> {
  const release = await reserve({ nodes }, hostname, uuid)
  try {
    return await work(nodes.find(uuid))
  } finally {
    await release()
  }
}

/**
 * For tasks that outlive the call which began them.
 * @returns gives the node back; once, and also when the node is gone by then
 */
export async function reserve(
  { nodes }: Pick<Store, 'nodes'>,
  hostname: string,
  uuid: string,
): Promise<() => Promise<void>> {
  await nodes.update(uuid, (node) => {
    if (node.reservation !== null) {
      throw new NodeLocked(
        `Node ${node.uuid} is locked by host ${node.reservation}, please retry after the current operation is completed.`,
      )
    }
    return { reservation: hostname }
  })
  let isHeld = true
  return async () => {
    if (!isHeld) return
    isHeld = false
    if (nodes.get(uuid)) await nodes.update(uuid, { reservation: null })
  }
}
