/**
 * Boots that this box begins, and who counts as the machine in them: for its script, its files, its first lookup. Sends
 * nobody an answer.
 */
import { randomBytes } from 'node:crypto'
import { isSameText } from '@appliance/ground/same-text'
import type { MachineBoot } from '@appliance/pxe'
import type { Boot } from '../../records/kinds/boot.ts'
import type { Parts } from '../parts/parts.ts'
import { type BootRecords, setBoot } from './record.ts'

export type WindowParts = Pick<Parts, 'store' | 'config' | 'isLeased'>

/** Who asks. */
export type Asker = {
  /** In the spelling of plainAddress. */
  address: string
  /** What the address that it asks at holds of a boot. */
  number?: string
}
/** This box itself, which asks over no network. */
export const THIS_BOX: Asker = { address: '127.0.0.1' }

/** Ends what is told of who was refused. */
export const START_AGAIN =
  'If that was its machine, start it again: baremetal node reboot. If it is refused at each start, ' +
  'see [api] check_machine_address and check_boot_number.'

const KEY_BYTES = 24
/** For addresses that nobody can guess. Logs know it by its tilde, and mask it. */
export const newKey = () => `~${randomBytes(KEY_BYTES).toString('base64url')}`

export const isSameKey = (known: string, given: string): boolean => known !== '' && isSameText(known, given)

/** Whether who asks brings the number of the boot that the node is in. */
export const isBootOf = ({ store }: BootRecords, uuid: string, { number }: Asker): boolean =>
  number !== undefined && isSameKey(store.boots.get(uuid)?.window?.number_secret ?? '', number)

/** The machine is about to be started: what it is given from now on is of this boot. Durable when it resolves. */
export const openWindow = (parts: BootRecords, uuid: string): Promise<void> =>
  setBoot(parts, uuid, () => ({ asked: null, window: { number_secret: newKey(), agent_address: null } }))

/** The boot has begun, and no agent has looked itself up in it. */
export const isUnanswered = ({ agent, window }: Boot): boolean =>
  agent && window !== null && window.number_secret !== '' && window.agent_address === null

/** The boot is over. */
export async function closeWindow(parts: BootRecords, uuid: string): Promise<void> {
  if (parts.store.boots.get(uuid)?.window) await setBoot(parts, uuid, () => ({ window: null }))
}

/**
 * Whether who asks for what a machine boots is that machine; it is from then on.
 * @returns why not, as the end of a sentence that begins with who asked
 */
export async function claimBoot(
  parts: WindowParts,
  boot: Exclude<MachineBoot, { kind: 'unknown' }>,
  { mac, address }: { mac: string; address: string },
): Promise<string | undefined> {
  const isChecked = parts.config.api.check_machine_address
  const isLeased = isChecked ? await isLeasedTo(parts, boot, address) : undefined
  if (isLeased === false) return `from ${address}, which DHCP of this box has not given to ${mac}`
  if (boot.kind === 'disk') return undefined
  let refusal: string | undefined
  await setBoot(parts, boot.node, ({ window, asked }) => {
    refusal = undefined
    if (boot.kind === 'agent') {
      if (!window) refusal = 'outside of a boot that this box began'
      else if (window.agent_address !== null) refusal = 'after its agent had looked itself up in this boot'
      else if (isChecked && isLeased === undefined && asked && asked.address !== address) {
        refusal = `from ${address}, after ${asked.address} had asked first in this boot`
      }
    }
    const isKnown = asked?.mac === mac && asked.address === address
    return refusal !== undefined || isKnown ? {} : { asked: { mac, address } }
  })
  return refusal
}

/**
 * Whether who looks a node up is the agent on its machine; it is from then on.
 * @returns why not, as claimBoot does
 */
export async function claimLookup(parts: WindowParts, uuid: string, asker: Asker): Promise<string | undefined> {
  const { address, number } = asker
  const boot = parts.store.boots.get(uuid)
  if (!boot?.agent || !boot.window) return `from ${address}, outside of a boot that this box began`
  const { number_secret } = boot.window
  if (number === undefined || !isSameKey(number_secret, number)) {
    const { check_boot_number, check_machine_address } = parts.config.api
    if (check_boot_number && number_secret !== '') {
      const what = number === undefined ? 'without the number' : 'with a number that is not that'
      return `from ${address}, ${what} of this boot`
    }
    const refusal = check_machine_address ? await strangeTo(parts, boot, address) : undefined
    if (refusal !== undefined) return refusal
  }
  let refusal: string | undefined
  await setBoot(parts, uuid, ({ window }) => {
    refusal = undefined
    if (!window) refusal = `from ${address}, after the end of its boot`
    else if (window.agent_address === null) return { window: { ...window, agent_address: address } }
    else if (window.agent_address !== address) {
      refusal = `from ${address}, after its agent had looked itself up from ${window.agent_address}`
    }
    return {}
  })
  return refusal
}

async function strangeTo(parts: WindowParts, boot: Boot, address: string): Promise<string | undefined> {
  const isLeased = await isLeasedToNode(parts, boot.node_uuid, address)
  if (isLeased === false) return `from ${address}, which DHCP of this box has not given to its machine`
  if (isLeased === true || !boot.asked || boot.asked.address === address) return undefined
  return `from ${address}, after ${boot.asked.address} had fetched its boot script`
}

/** iPXE asks for each of its cards from one address, which any of them may have. */
async function isLeasedTo(
  parts: WindowParts,
  { kind, node }: { kind: MachineBoot['kind']; node: string },
  address: string,
): Promise<boolean | undefined> {
  const { window, asked } = parts.store.boots.get(node) ?? {}
  // A lease may end while iPXE loads.
  if (kind === 'agent' && window && asked?.address === address) return true
  return isLeasedToNode(parts, node, address)
}

/** Whether a card of the node has the address; undefined: it cannot be told. */
export async function isLeasedToNode(parts: WindowParts, uuid: string, address: string): Promise<boolean | undefined> {
  const macs = parts.store.ports.where('node_uuid', uuid).map((port) => port.address)
  const told = await Promise.all(macs.map((mac) => parts.isLeased?.(mac, address)))
  return told.includes(true) ? true : told.includes(undefined) ? undefined : told.length > 0 ? false : undefined
}

/**
 * Whether a file of a node may go out to who asks from `address`. Until an address of its machine is known, whoever
 * knows the file's address may have it; another DHCP server may give each system on the machine another one.
 */
export async function mayFetch(parts: WindowParts, uuid: string, address: string): Promise<boolean> {
  if (!parts.config.api.check_machine_address) return true
  const boot = parts.store.boots.get(uuid)
  const agent_address = boot?.agent ? boot.window?.agent_address : undefined
  if (agent_address === address) return true
  const isLeased = await isLeasedToNode(parts, uuid, address)
  if (isLeased !== false) return isLeased === true || typeof agent_address !== 'string'
  // A lease may end before the last byte is read: iPXE does not renew it.
  return boot?.asked?.address === address
}
