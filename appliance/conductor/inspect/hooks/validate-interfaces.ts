/**
 * Which of the network cards that were told are cards, and which of them may become ports. @source Ironic
 * hooks/validate_interfaces.py
 */
import type { Json } from '../../../plugin-api/index.ts'
import { type Hook, type Inspection, InvalidNodeInventory, itemsOf, macIn, memberOf, textIn } from './hook.ts'

/** A card that was told. */
export type FoundCard = Json & {
  name: string
  /** Lower case with colons. */
  mac_address: string
  /** The machine has booted from it. */
  pxe_enabled: boolean
}

/** No machine has so many; each becomes a port. */
const CARDS_LIMIT = 256

export const validateInterfaces: Hook = {
  preprocess(inspection) {
    const { plugin_data } = inspection
    const all = cardsOf(inspection)
    const valid = all.filter((card) => isWanted(inspection, card))
    if (valid.length === 0) {
      throw new InvalidNodeInventory(
        inspection.node,
        `no network interfaces match the configuration (add_ports set to "${inspection.options.add_ports}")`,
      )
    }
    plugin_data.all_interfaces = byName(all)
    plugin_data.valid_interfaces = byName(valid)
    plugin_data.macs = valid.map(({ mac_address }) => mac_address)
  },
}

/** What this hook has left in plugin_data, for those after it. */
export const foundCards = (
  { plugin_data }: Inspection,
  which: 'all_interfaces' | 'valid_interfaces',
): readonly FoundCard[] => Object.values(memberOf(plugin_data, which)) as FoundCard[]

const byName = (cards: readonly FoundCard[]) => Object.fromEntries(cards.map((card) => [card.name, card]))

/** @throws InvalidNodeInventory */
function cardsOf({ node, inventory, warn }: Inspection): readonly FoundCard[] {
  const told = itemsOf(inventory.interfaces)
  if (!('interfaces' in inventory)) throw new InvalidNodeInventory(node, 'no interfaces present in inventory')
  if (told.length > CARDS_LIMIT) {
    throw new InvalidNodeInventory(node, `it has ${told.length} network interfaces, and ${CARDS_LIMIT} are taken`)
  }
  const pxe_mac = pxeMacOf(inventory)
  const cards = told.flatMap((card): FoundCard[] => {
    const name = textIn(card.name)
    const mac_address = macIn(card.mac_address)
    if (name === undefined || name === '__proto__') warn('a network interface has no name')
    // One that is down may tell no address.
    else if (mac_address !== undefined) {
      const [ipv6_address = null] = typeof card.ipv6_address === 'string' ? card.ipv6_address.split('%') : []
      return [{ ...card, name, mac_address, ipv6_address, pxe_enabled: mac_address === pxe_mac }]
    }
    return []
  })
  if (cards.length === 0) throw new InvalidNodeInventory(node, 'no valid network interfaces')
  return cards
}

function isWanted({ inventory, options: { add_ports } }: Inspection, card: FoundCard): boolean {
  const address = card.ipv4_address || card.ipv6_address
  const isLoopback = typeof address === 'string' && (address.startsWith('127.') || address === '::1')
  if (card.name === 'lo' || isLoopback) return false
  // Without a word about the card that booted, all with an address are taken, as Ironic's log says.
  if (add_ports === 'pxe' && pxeMacOf(inventory) !== undefined) return card.pxe_enabled
  return add_ports !== 'active' || Boolean(address)
}

/** PXELINUX's form begins with the hardware type: 01-52-54-00-... */
function pxeMacOf(inventory: Json): string | undefined {
  const { pxe_interface: told } = memberOf(inventory, 'boot')
  if (typeof told !== 'string') return undefined
  return macIn(told) ?? macIn(told.replace(/^[0-9a-f]{2}-/i, ''))
}
