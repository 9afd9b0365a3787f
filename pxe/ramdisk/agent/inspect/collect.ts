/** What an inspection collects of the machine, by the names of ironic-python-agent's collectors. Tells nobody. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { collectSystemLogs, type LogSource } from '../commands/logs.ts'
import { AgentError, messageOf } from '../errors.ts'
import { readInventory } from '../hardware/inventory.ts'
import { listNetworkCards } from '../hardware/network-cards.ts'
import { chooseRootDevice } from '../hardware/root-device.ts'
import { readText } from '../hardware/sysfs.ts'
import { bmcAddresses } from './bmc.ts'
import { listen } from './lldp.ts'

export type Report = Record<string, unknown>
type Collector = (source: LogSource, report: Report, fail: (problem: string) => void) => Promise<void>

const DHCP_PAUSE_MS = 500

/** @source ironic-python-agent inspector.py; `extra-hardware` is not among them: it needs Python's hardware-detect */
const COLLECTORS: Readonly<Record<string, Collector>> = {
  default: collectDefault,
  async logs(source, report) {
    report.logs = (await collectSystemLogs(source)).system_logs
  },
  'pci-devices': async ({ root }, report) => {
    report.pci_devices = await pciDevices(root)
  },
}

/** One that fails does not keep the others: what it could not do is the report's `error`. */
export async function collect(source: LogSource): Promise<Report> {
  const report: Report = {}
  const problems: string[] = []
  for (const name of source.options.inspection_collectors) {
    const collector = Object.hasOwn(COLLECTORS, name) ? COLLECTORS[name] : undefined
    if (!collector) {
      problems.push(`there is no collector ${name} (there are ${Object.keys(COLLECTORS).join(', ')})`)
      continue
    }
    try {
      await collector(source, report, (problem) => void problems.push(problem))
    } catch (error) {
      problems.push(`collector ${name} failed: ${messageOf(error)}`)
    }
  }
  return { ...report, error: problems.length > 0 ? problems.join('; ') : null }
}

async function collectDefault(source: LogSource, report: Report): Promise<void> {
  const { root, options, screen } = source
  await untilAddressed(source)
  const inventory = await readInventory(root, options.bootif)
  const lldp = options.collect_lldp ? await listen(source, inventory.interfaces) : undefined
  const interfaces = inventory.interfaces.map((card) => ({ ...card, lldp: lldp?.get(card.name) ?? null }))
  report.inventory = { ...inventory, interfaces, ...(await bmcAddresses(source)) }
  try {
    // As a deploy without hints would choose.
    report.root_disk = chooseRootDevice(inventory.disks, {})
  } catch (error) {
    if (!(error instanceof AgentError)) throw error
    screen.say(error.details)
  }
  report.boot_interface = inventory.boot.pxe_interface
  report.configuration = {
    collectors: options.inspection_collectors,
    managers: [{ name: 'rackstrap', version: '1' }],
  }
}

/** The card that booted has its address by now; the others are waited for where that is asked for. */
async function untilAddressed({ root, options }: LogSource): Promise<void> {
  if (!options.inspection_dhcp_all_interfaces) return
  const deadline = performance.now() + options.inspection_dhcp_wait_timeout_s * 1000
  while (performance.now() < deadline) {
    const cards = await listNetworkCards(root)
    if (cards.every(({ ipv4_address, has_carrier }) => ipv4_address || !has_carrier)) return
    await pause(DHCP_PAUSE_MS)
  }
}

/** @source ironic-python-agent inspector.py collect_pci_devices_info */
async function pciDevices(root: string) {
  const folder = join(root, 'sys/bus/pci/devices')
  const devices = (await readdir(folder)).sort().map(async (bus) => {
    const id = async (name: string) => (await readText(join(folder, bus, name)))?.split('x')[1] ?? null
    const [vendor_id, product_id, pci_class] = [await id('vendor'), await id('device'), await id('class')]
    if (vendor_id === null || product_id === null || pci_class === null) return []
    return [{ vendor_id, product_id, class: pci_class, revision: await id('revision'), bus }]
  })
  return (await Promise.all(devices)).flat()
}
