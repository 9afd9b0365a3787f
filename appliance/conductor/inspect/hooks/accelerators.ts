/** properties/accelerators. @source Ironic hooks/accelerators.py, known_accelerators.yaml */
import { type Hook, itemsOf, textIn } from './hook.ts'

/** By vendor and product, as PCI has them. */
const KNOWN: Readonly<Record<string, string>> = {
  '10de:1eb8': 'NVIDIA Corporation Tesla T4',
  '10de:1df6': 'NVIDIA Corporation GV100GL',
  '10de:2236': 'NVIDIA Corporation A10',
  '10de:2235': 'NVIDIA Corporation A40',
  '10de:26b9': 'NVIDIA Corporation L40S',
  '10de:26ba': 'NVIDIA Corporation L20',
}
/** No machine has so many. */
const LIMIT = 64

export const accelerators: Hook = {
  run({ plugin_data, inventory, properties, warn }) {
    const told = itemsOf(plugin_data.pci_devices)
    const devices = told.length > 0 ? told : itemsOf(inventory.pci_devices)
    if (devices.length === 0) return warn('no PCI devices are told: add the collector pci-devices')
    const found = devices.flatMap(({ vendor_id, product_id, bus }) => {
      const device_info = KNOWN[`${textIn(vendor_id)}:${textIn(product_id)}`]
      if (device_info === undefined) return []
      return [{ vendor_id, device_id: product_id, type: 'GPU', device_info, pci_address: textIn(bus) ?? null }]
    })
    properties.accelerators = found.slice(0, LIMIT)
  },
}
