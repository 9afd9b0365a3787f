/** Of ports, by the addresses that their cards have. @source Ironic hooks/physical_network.py */
import { networksOf } from '@appliance/ground/networks'
import { type Hook, textIn } from './hook.ts'
import { foundCards } from './validate-interfaces.ts'

export const physicalNetwork: Hook = {
  after: ['validate-interfaces'],
  run(inspection) {
    const { ports, options } = inspection
    for (const { mac_address, ipv4_address, ipv6_address } of foundCards(inspection, 'all_interfaces')) {
      const port = ports.get(mac_address)
      const addresses = [ipv4_address, ipv6_address].flatMap((address) => textIn(address) ?? [])
      const physical_network = networkOf(options.physical_network_cidr_map, addresses)
      if (port && physical_network !== undefined) ports.set(mac_address, { ...port, physical_network })
    }
  },
}

function networkOf(map: readonly string[], addresses: readonly string[]): string | undefined {
  for (const address of addresses) {
    const found = map.find((entry) => networksOf([entry.slice(0, entry.lastIndexOf(':'))]).has(address))
    if (found) return found.slice(found.lastIndexOf(':') + 1)
  }
  return undefined
}
