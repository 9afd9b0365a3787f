/** What an agent reports of the machine that it is on. A stranger's report changes nothing, and learns nothing. */
import { plainAddress } from '@appliance/ground/plain-address'
import { NO_SUCH_NODE } from '../../agent/lookup.ts'
import { InvalidParameterValue, NodeLocked, NotFound } from '../../errors.ts'
import { bmcAddressesOf } from '../../hardware/bmc-addresses.ts'
import type { Json } from '../../plugin-api/index.ts'
import type { Found } from '../../records/inspections.ts'
import type { Node } from '../../records/kinds/node.ts'
import { type Asker, claimLookup, isBootOf, START_AGAIN } from '../boot/window.ts'
import type { Parts } from '../parts/parts.ts'
import { handleOf } from '../states/node-handle.ts'
import type { StepRunner } from '../steps/runner.ts'
import type { Discovery } from './discovery.ts'
import { itemsOf, macIn } from './hooks/hook.ts'

/** `node_uuid`: what the agent believes to be its node. */
export type InspectionReport = Found & { node_uuid?: string }

type ReportParts = Pick<Parts, 'store' | 'config' | 'log' | 'isLeased' | 'strangers' | 'inspections'>

/**
 * Keeps it for the node that waits for it, and has the node go on. Durable when it resolves.
 * @throws NotFound  no node waits for it, or who reports is not its machine; InvalidParameterValue, NodeLocked,
 *   InsufficientStorage
 */
export async function continueInspection(
  parts: ReportParts & { runner: StepRunner; discovery: Discovery },
  { node_uuid, ...found }: InspectionReport,
  asker: Asker,
): Promise<Node> {
  const enrolled = await parts.discovery.enroll(found, asker)
  if (enrolled) return enrolled
  const { uuid } = findForReport(parts, found.inventory, { node_uuid, asker })
  const refusal = await claimLookup(parts, uuid, asker)
  if (refusal !== undefined) {
    await parts.strangers.note(uuid, `Inspection report of node ${uuid} ${refusal}: not taken. ${START_AGAIN}`)
    throw new NotFound(NO_SUCH_NODE)
  }
  const node = handleOf(parts, uuid)
  // Agents come again after a 409.
  if (node.record.wait?.for !== 'report' || node.record.provision_state !== 'inspect wait') {
    throw new NodeLocked(`Node ${uuid} is locked: it is not waiting for a report yet, or is just looking at one.`)
  }
  await parts.inspections.keepReport(uuid, found)
  parts.log.info('agent reported what it found', { node: uuid })
  parts.runner.heard(node)
  return node.record
}

/** @source Ironic inspect_utils.lookup_node: whatever is wrong with the question, the answer is the same */
function findForReport(
  parts: Pick<Parts, 'store'>,
  inventory: Json,
  { node_uuid, asker }: { node_uuid: string | undefined; asker: Asker },
): Node {
  const { store } = parts
  const macs = itemsOf(inventory.interfaces).flatMap(({ mac_address }) => macIn(mac_address) ?? [])
  const bmcs = [inventory.bmc_address, inventory.bmc_v6address].flatMap((address) =>
    typeof address === 'string' && address !== '' ? [plainAddress(address)] : [],
  )
  if (macs.length === 0 && bmcs.length === 0 && node_uuid === undefined) {
    throw new InvalidParameterValue('No lookup information provided')
  }
  const unknown = () => new NotFound(NO_SUCH_NODE)
  const named = node_uuid === undefined ? undefined : store.nodes.get(node_uuid)
  if (node_uuid !== undefined && !named) throw unknown()
  const byMac = new Set(macs.flatMap((mac) => store.ports.by('address', mac)?.node_uuid ?? []))
  // The agent of another machine may have told of cards that it does not have: the boot tells whose they are.
  const booted = byMac.size > 1 ? [...byMac].find((uuid) => isBootOf(parts, uuid, asker)) : undefined
  if (byMac.size > 1 && booted === undefined) throw unknown()
  const [known = named?.uuid] = booted === undefined ? byMac : [booted]
  if (named && known !== named.uuid) throw unknown()
  // Addresses of BMCs are compared also then: a wrong one would have the inspection change the wrong node.
  const byBmc = bmcs.length === 0 ? new Set<string>() : waitingWithBmc(store, bmcs)
  if (known !== undefined && byBmc.size > 0 && !byBmc.has(known)) throw unknown()
  const [only, ...others] = byBmc
  const uuid = known ?? (others.length === 0 ? only : undefined)
  const node = uuid === undefined ? undefined : store.nodes.get(uuid)
  if (!node || (node.provision_state !== 'inspect wait' && node.provision_state !== 'inspecting')) throw unknown()
  return node
}

function waitingWithBmc(store: Parts['store'], addresses: readonly string[]): Set<string> {
  const found = new Set<string>()
  for (const { uuid, provision_state, driver_info } of store.nodes.all()) {
    if (provision_state !== 'inspect wait') continue
    if (bmcAddressesOf(driver_info).some((address) => addresses.includes(plainAddress(address)))) found.add(uuid)
  }
  return found
}
