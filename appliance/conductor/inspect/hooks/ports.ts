/** The machine's cards become ports of its node. @source Ironic hooks/ports.py */
import type { DraftPort, Hook, Inspection } from './hook.ts'
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
  for (const { mac_address: address, pxe_enabled, client_id } of foundCards(inspection, 'valid_interfaces')) {
    if (known.has(address)) continue
    known.set(address, { address, pxe_enabled, extra: client_id ? { 'client-id': client_id } : {} })
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
  const client_id = card?.client_id
  return {
    ...port,
    ...(options.update_pxe_enabled && { pxe_enabled: card?.pxe_enabled ?? false }),
    // Some sources cannot tell it.
    ...(client_id ? { extra: { ...port.extra, 'client-id': client_id } } : {}),
  }
}
