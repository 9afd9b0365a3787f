/**
 * Allocations: a node for who asks for one. A node is bound first and its allocation told after, so that what a crash
 * leaves between the two can be finished at the next start.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createKeyedMutex } from '@appliance/ground/keyed-mutex'
import { Conflict, messageOf, NotFound } from '../../errors.ts'
import type { Allocation } from '../../records/kinds/allocation.ts'
import type { Node } from '../../records/kinds/node.ts'
import { unlessStopped } from '../parts/background.ts'
import type { Parts } from '../parts/parts.ts'
import { isInTransition } from '../states/update-allowed.ts'
import { AllocationFailed, candidates, hasTraits, isFree, mismatches } from './choose.ts'

export type Allocations = {
  /** Looks for a node in the background. Its end is in the record. */
  begin(uuid: string): void
  /**
   * Binds the allocation to a node that is in use already.
   * @returns the allocation. @throws InvalidParameterValue, Conflict, NodeLocked  the record has the reason, too
   */
  backfill(uuid: string, node: string): Promise<Allocation>
  /** Frees its node, and deletes it. @throws NotFound, Conflict (the node is in use), NodeLocked */
  remove(uuid: string): Promise<void>
  /** Once, after a start: what was under way goes on. */
  recover(): Promise<void>
}

type Given = Pick<Parts, 'store' | 'config' | 'log' | 'reservations' | 'background'>

export function createAllocations(parts: Given): Allocations {
  const { store, log, reservations, background } = parts
  /** By allocation: none is deleted while it is bound. */
  const turns = createKeyedMutex()
  const begin = (uuid: string) =>
    background.run('allocation', uuid, () => unlessStopped(parts, () => allocate(parts, turns, uuid)))

  return {
    begin,
    async backfill(uuid, ident) {
      const allocation = store.allocations.find(uuid)
      const release = await reservations.take(store.nodes.find(ident).uuid).catch(async (error: unknown) => {
        await fail(parts, allocation, error)
        throw error
      })
      try {
        const node = store.nodes.find(ident)
        const reasons = mismatches(node, allocation).join('; ')
        if (reasons !== '')
          throw new AllocationFailed(allocation, `Cannot backfill an allocation for node ${node.uuid}: ${reasons}`)
        return await turns.run(uuid, () => bind(parts, node, allocation))
      } catch (error) {
        await fail(parts, allocation, error)
        throw error
      } finally {
        await release()
      }
    },
    remove: (uuid) =>
      turns.run(uuid, async () => {
        const allocation = store.allocations.find(uuid)
        if (allocation.node_uuid === null) return store.allocations.delete(uuid)
        const release = await reservations.take(allocation.node_uuid)
        try {
          const node = store.nodes.find(allocation.node_uuid)
          checkRemovable(node, uuid)
          const isItsOwn = node.allocation_uuid === uuid
          const freed = isItsOwn ? [store.nodes.update(node.uuid, { allocation_uuid: null, instance_uuid: null })] : []
          // In one turn: both become durable together.
          await Promise.all([...freed, store.allocations.delete(uuid)])
        } finally {
          await release()
        }
      }),
    async recover() {
      for (const allocation of [...store.allocations.all()]) {
        const { uuid, state } = allocation
        const node = store.nodes.by('instance_uuid', uuid)
        const isBound = node?.allocation_uuid === uuid
        if (state === 'allocating' && isBound) await tell(parts, node, uuid)
        else if (state === 'allocating') begin(uuid)
        else if (state === 'active' && !isBound) {
          log.warn('allocation deleted: its node was freed', { allocation: uuid, node: allocation.node_uuid })
          await store.allocations.delete(uuid)
        }
      }
    },
  }
}

type Turns = ReturnType<typeof createKeyedMutex>

async function allocate(parts: Given, turns: Turns, uuid: string): Promise<void> {
  const allocation = parts.store.allocations.get(uuid)
  if (allocation?.state !== 'allocating') return
  const { node_locked_retry_attempts: attempts, node_locked_retry_interval: interval_s } = parts.config.conductor
  try {
    let nodes = candidates(parts.store.nodes.all(), allocation)
    for (let attempt = 1; ; attempt++) {
      const locked: Node[] = []
      for (const node of nodes) {
        const outcome = await tryNode(parts, turns, { node, allocation })
        if (outcome === 'over') return
        if (outcome === 'locked') locked.push(node)
      }
      nodes = locked
      if (nodes.length === 0) throw new AllocationFailed(allocation, 'all nodes were filtered out during reservation')
      if (attempt >= attempts)
        throw new AllocationFailed(allocation, `could not reserve any of ${nodes.length} suitable nodes`)
      await sleep(interval_s * 1000, undefined, { signal: parts.background.stopping })
    }
  } catch (error) {
    parts.background.stopping.throwIfAborted()
    await fail(parts, allocation, error)
  }
}

/** @returns `over`: the allocation has a node, or is gone */
async function tryNode(
  parts: Given,
  turns: Turns,
  { node, allocation }: { node: Node; allocation: Allocation },
): Promise<'over' | 'locked' | 'unfit'> {
  const { store, reservations } = parts
  if (!store.nodes.get(node.uuid)) return 'unfit'
  const release = await reservations.takeIfFree(node.uuid)
  if (!release) return 'locked'
  try {
    const now = store.nodes.get(node.uuid)
    if (!now || !isFree(now, allocation) || !hasTraits(now, allocation)) return 'unfit'
    return await turns.run(allocation.uuid, async (): Promise<'over'> => {
      if (store.allocations.get(allocation.uuid)?.state === 'allocating') await bind(parts, now, allocation)
      return 'over'
    })
  } finally {
    await release()
  }
}

/** The node is reserved. @throws Conflict  it has another instance, or another node has this one */
async function bind(parts: Given, { uuid }: Node, { uuid: instance, traits }: Allocation): Promise<Allocation> {
  const node = await parts.store.nodes.update(uuid, ({ instance_uuid, instance_info }) => {
    if (instance_uuid !== null && instance_uuid !== instance) {
      throw new Conflict(`Node ${uuid} is associated with instance ${instance_uuid}.`)
    }
    const allocated = { allocation_uuid: instance, instance_uuid: instance }
    return { ...allocated, instance_info: { ...instance_info, traits } }
  })
  try {
    return await tell(parts, node, instance)
  } catch (error) {
    // A node of nobody's could not be had by anybody.
    await parts.store.nodes.update(uuid, { allocation_uuid: null, instance_uuid: null })
    throw error
  }
}

async function tell({ store, log }: Given, { uuid }: Node, allocation: string): Promise<Allocation> {
  const told = await store.allocations.update(allocation, { node_uuid: uuid, state: 'active', last_error: null })
  log.info('node allocated', { node: uuid, allocation })
  return told
}

async function fail({ store, log }: Given, { uuid }: Allocation, cause: unknown): Promise<void> {
  const reason =
    cause instanceof AllocationFailed || cause instanceof Conflict
      ? cause.message
      : `Unexpected exception during allocation: ${messageOf(cause)}`
  log.warn('allocation failed', { allocation: uuid, reason })
  const failed = store.allocations.update(uuid, { node_uuid: null, state: 'error', last_error: reason })
  await failed.catch((error: unknown) => {
    // Deleted meanwhile: nobody asks any more.
    if (!(error instanceof NotFound)) throw error
  })
}

/** @throws Conflict. @source Ironic conductor/allocations.verify_node_for_deallocation */
function checkRemovable(node: Node, uuid: string): void {
  if (node.maintenance) return
  const refuse = (why: string) =>
    new Conflict(
      `Cannot remove allocation ${uuid} for node ${node.uuid}, because the node is ${why} (and maintenance mode is off)`,
    )
  if (isInTransition(node)) throw refuse(`in state ${node.provision_state} where updates are not allowed`)
  if (node.provision_state === 'active') throw refuse('active')
}
