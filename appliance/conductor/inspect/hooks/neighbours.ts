/** Hooks that tell which switch, and which of its ports, a card is connected to. */
import type { Json } from '../../../plugin-api/index.ts'
import { type Hook, type Inspection, memberOf } from './hook.ts'
import { chassisIn, nameIn, neighbourIn, portIn, type Tlv, tlvsIn } from './lldp.ts'
import { type FoundCard, foundCards } from './validate-interfaces.ts'

/** @source Ironic hooks/parse_lldp.py */
const CARDS_LIMIT = 64

/** By card; those that heard nothing are left out. */
function heard(inspection: Inspection): readonly (readonly [FoundCard, readonly Tlv[]])[] {
  const raw = memberOf(inspection.plugin_data, 'lldp_raw')
  const cards = foundCards(inspection, 'all_interfaces').slice(0, CARDS_LIMIT)
  return cards.flatMap((card) => {
    const tlvs = tlvsIn(Object.hasOwn(raw, card.name) ? raw[card.name] : card.lldp)
    return tlvs.length > 0 ? [[card, tlvs] as const] : []
  })
}

/** @source Ironic hooks/parse_lldp.py */
export const parseLldp: Hook = {
  after: ['validate-interfaces'],
  run(inspection) {
    const found = heard(inspection).map(([card, tlvs]) => [card.name, neighbourIn(tlvs)] as const)
    const told = found.filter(([, neighbour]) => Object.keys(neighbour).length > 0)
    if (told.length > 0) inspection.plugin_data.parsed_lldp = Object.fromEntries(told)
  },
}

/** What a port has already stays: people know better. @source Ironic hooks/local_link_connection.py */
export const localLinkConnection: Hook = {
  after: ['validate-interfaces'],
  run(inspection) {
    const { ports } = inspection
    for (const [{ mac_address }, tlvs] of heard(inspection)) {
      const port = ports.get(mac_address)
      if (!port) continue
      const local_link_connection = { ...linkOf(tlvs), ...port.local_link_connection }
      ports.set(mac_address, { ...port, local_link_connection })
    }
  },
}

function linkOf(tlvs: readonly Tlv[]): Json {
  const first = (type: number) => tlvs.find(([found]) => found === type)?.[1]
  const [chassis, port, name] = [first(1), first(2), first(5)]
  const switch_id = chassis && chassisIn(chassis)
  return {
    ...(port && { port_id: portIn(port)?.value }),
    // A switch is known by its MAC alone.
    ...(switch_id?.kind === 'mac' && { switch_id: switch_id.value }),
    ...(name && { switch_info: nameIn(name) }),
  }
}
