/**
 * Plug and play: a node that a rule has told where to go on to after its inspection is asked for one verb after the
 * other, as an operator would. Anything that fails on the way leaves the next word to an operator.
 */
import { ApplianceError, messageOf } from '../../errors.ts'
import type { Node, ProvisionState } from '../../records/kinds/node.ts'
import type { Parts } from '../parts/parts.ts'
import type { ProvisionRequest } from '../procedures/request.ts'
import { handleOf } from '../states/node-handle.ts'

/** In order. */
const WAY: readonly { state: ProvisionState; verb: string }[] = [
  { state: 'enroll', verb: 'manage' },
  { state: 'manageable', verb: 'provide' },
  { state: 'available', verb: 'active' },
]
const ARRIVED: readonly ProvisionState[] = ['manageable', 'available', 'active']
/** Here an operator has the next word. */
const isStuck = ({ provision_state, last_error, maintenance }: Node) =>
  maintenance ||
  provision_state.endsWith('failed') ||
  provision_state === 'error' ||
  (provision_state === 'enroll' && last_error !== null)

type GoOnParts = Pick<Parts, 'store' | 'log' | 'background'> & {
  provision(uuid: string, request: ProvisionRequest): Promise<void>
}

/** What is called whenever a node has become free, and after a start. */
export function createGoOn(parts: GoOnParts): (uuid: string) => void {
  /** Asking for a verb makes the node free once more. */
  const under_way = new Set<string>()
  const go = async (uuid: string) => {
    if (under_way.has(uuid)) return
    under_way.add(uuid)
    try {
      while (await step(parts, uuid));
    } finally {
      under_way.delete(uuid)
    }
  }
  return (uuid) => {
    if (parts.store.nodes.get(uuid)?.driver_internal_info.after_inspection === undefined) return
    parts.background.run('way after an inspection', uuid, () => go(uuid))
  }
}

/** @returns whether the node was asked for the next verb: it may be there already */
async function step(parts: GoOnParts, uuid: string): Promise<boolean> {
  const record = parts.store.nodes.get(uuid)
  const target = record?.driver_internal_info.after_inspection
  if (!record || target === undefined || record.reservation !== null) return false
  const node = handleOf(parts, uuid)
  if (isStuck(record) || record.provision_state === target || record.provision_state === 'active') {
    await node.update({ internal: { after_inspection: undefined } })
    return false
  }
  const next = WAY.find(({ state }) => state === record.provision_state)
  if (!next || ARRIVED.indexOf(record.provision_state) > ARRIVED.indexOf(target)) return false
  parts.log.info('node goes on after its inspection', { node: uuid, verb: next.verb, target })
  try {
    await parts.provision(uuid, { target: next.verb })
    return true
  } catch (error) {
    if (!(error instanceof ApplianceError)) throw error
    // Somebody else has the node, or was first.
    if (error.code === 409 || parts.store.nodes.get(uuid)?.provision_state !== record.provision_state) return false
    const reason = `The node could not go on to ${target} after its inspection: ${messageOf(error)}`
    parts.log.warn('node cannot go on after its inspection', { node: uuid, reason })
    await node.update({ error: new Error(reason, { cause: error }), internal: { after_inspection: undefined } })
    return false
  }
}
