/** properties/capabilities, and the hooks that change nothing else. */
import { isObject } from '@appliance/ground/json'
import type { Json } from '../../../plugin-api/index.ts'
import { type Hook, itemsOf, memberOf, textIn } from './hook.ts'

/**
 * What is there already stays; a part that is no key:value goes. The form stays, too: a text, or an object.
 * @source Ironic common/utils.get_updated_capabilities
 */
function addCapabilities(properties: Json, more: Readonly<Record<string, string>>): void {
  const { capabilities: known } = properties
  if (isObject(known)) {
    properties.capabilities = { ...known, ...more }
    return
  }
  const pairs = String(known ?? '')
    .split(',')
    .map((pair) => /^\s*([^:]+):(.*)$/s.exec(pair))
    .flatMap((pair) => (pair ? [[pair[1]?.trim() ?? '', pair[2]?.trim() ?? ''] as const] : []))
  const all = new Map([...pairs, ...Object.entries(more)])
  properties.capabilities = [...all].map(([key, value]) => `${key}:${value}`).join(',')
}

/** @source Ironic hooks/boot_mode.py */
export const bootMode: Hook = {
  run({ inventory, properties, warn }) {
    const { current_boot_mode: mode } = memberOf(inventory, 'boot')
    if (mode === 'bios' || mode === 'uefi') addCapabilities(properties, { boot_mode: mode })
    else warn('no boot mode is told')
  },
}

/** @source Ironic hooks/cpu_capabilities.py */
export const cpuCapabilities: Hook = {
  run({ inventory, properties, options, warn }) {
    const { flags } = memberOf(inventory, 'cpu')
    if (!Array.isArray(flags) || flags.length === 0) return warn('no flags of the CPU are told')
    const known = options.cpu_capabilities.map((pair) => pair.split(':', 2))
    const found = known.filter(([flag = '']) => flags.includes(flag.trim()))
    addCapabilities(properties, Object.fromEntries(found.map(([, name = '']) => [name.trim(), 'true'])))
  },
}

/** Counts the devices that [inspector] pci_device_alias names. @source Ironic hooks/pci_devices.py */
export const pciDevices: Hook = {
  run({ plugin_data, properties, options, warn }) {
    if (options.pci_device_alias.length === 0) return
    if (!('pci_devices' in plugin_data)) return warn('no PCI devices are told: add the collector pci-devices')
    const counts = new Map<string, number>()
    for (const device of itemsOf(plugin_data.pci_devices)) {
      const name = nameOf(options.pci_device_alias, device)
      if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1)
    }
    const found = [...counts].map(([name, count]) => [name, String(count)] as const)
    if (found.length > 0) addCapabilities(properties, Object.fromEntries(found))
  },
}

function nameOf(aliases: readonly string[], { vendor_id, product_id }: Json): string | undefined {
  const found = aliases.map(aliasOf).find((alias) => alias?.vendor_id === vendor_id && alias?.product_id === product_id)
  return found && textIn(found.name)
}

/** @returns undefined  it is none */
function aliasOf(text: string): Readonly<Record<'vendor_id' | 'product_id' | 'name', string>> | undefined {
  try {
    const alias: unknown = JSON.parse(text)
    const isOne =
      isObject(alias) && ['vendor_id', 'product_id', 'name'].every((key) => textIn(alias[key]) !== undefined)
    return isOne ? (alias as Record<'vendor_id' | 'product_id' | 'name', string>) : undefined
  } catch {
    // No JSON: the check of the settings says so.
    return undefined
  }
}
