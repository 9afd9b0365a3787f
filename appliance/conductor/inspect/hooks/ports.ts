/** The machine's cards become ports of its node. @source Ironic hooks/ports.py */
import type { Json } from '../../../plugin-api/index.ts'
import { type DraftPort, type Hook, type Inspection, textIn } from './hook.ts'
import { type FoundCard, foundCards } from './validate-interfaces.ts'

export const ports: Hook = {
  after: ['validate-interfaces'],
  run(inspection) {
    const { options, ports: known } = inspection
    if (options.add_ports !== 'disabled') addPorts(inspection)
    const expected = expectedMacs(inspection)
    const cards = new Map(foundCards(inspection, 'all_interfaces').map((card) => [card.mac_address, card]))
    for (const port of known.values()) {
      if (expected && !expected.has(port.address)) known.delete(port.address)
      else known.set(port.address, updated(inspection, port, cards.get(port.address)))
    }
  },
}

function addPorts(inspection: Inspection): void {
  const { ports: known } = inspection
  for (const card of foundCards(inspection, 'valid_interfaces')) {
    const { mac_address: address, pxe_enabled } = card
    if (!known.has(address)) known.set(address, { address, pxe_enabled, extra: clientIdOf(card) })
  }
}

/** undefined: all ports stay. */
function expectedMacs(inspection: Inspection): ReadonlySet<string> | undefined {
  const { keep_ports } = inspection.options
  if (keep_ports === 'all') return undefined
  const which = keep_ports === 'present' ? 'all_interfaces' : 'valid_interfaces'
  return new Set(foundCards(inspection, which).map(({ mac_address }) => mac_address))
}

function updated({ options }: Inspection, port: DraftPort, card: FoundCard | undefined): DraftPort {
  return {
    ...port,
    ...(options.update_pxe_enabled && { pxe_enabled: card?.pxe_enabled ?? false }),
    ...(card && { extra: { ...port.extra, ...clientIdOf(card) } }),
  }
}

/** Some sources cannot tell it. */
function clientIdOf({ client_id }: FoundCard): Json {
  const told = textIn(client_id)
  return told === undefined ? {} : { 'client-id': told }
}
