/**
 * The machine's network cards as /sys tells of them, in the fields of ironic-python-agent's inventory. Configures
 * nothing.
 */
import { readdir } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { basename, join } from 'node:path'
import { linkName, readNumber, readText, realPath } from './sysfs.ts'

export type NetworkCard = {
  name: string
  mac_address: string
  ipv4_address: string | null
  ipv6_address: string | null
  has_carrier: boolean
  lldp: null
  vendor: string | null
  product: string | null
  client_id: null
  biosdevname: null
  speed_mbps: number | null
  pci_address: string | null
  driver: string | null
}

/** Only cards with a device behind them: no bridges, no loopback. */
export async function listNetworkCards(root: string): Promise<NetworkCard[]> {
  const folder = join(root, 'sys/class/net')
  const names = (await readdir(folder).catch(() => [])).sort()
  const cards = await Promise.all(names.map((name) => readCard(join(folder, name), name)))
  return cards.filter((card) => card !== undefined)
}

async function readCard(folder: string, name: string): Promise<NetworkCard | undefined> {
  const device = await linkName(join(folder, 'device'))
  const mac_address = (await readText(join(folder, 'address')))?.toLowerCase()
  if (!device || !mac_address || /^(00:)*00$/.test(mac_address)) return undefined
  const addresses = networkInterfaces()[name] ?? []
  const speed = await readNumber(join(folder, 'speed'))
  return {
    name,
    mac_address,
    ipv4_address: addresses.find(({ family }) => family === 'IPv4')?.address ?? null,
    ipv6_address: addresses.find(({ family }) => family === 'IPv6')?.address ?? null,
    has_carrier: (await readText(join(folder, 'carrier'))) === '1',
    lldp: null,
    vendor: (await readText(join(folder, 'device/vendor'))) ?? null,
    product: (await readText(join(folder, 'device/device'))) ?? null,
    client_id: null,
    biosdevname: null,
    speed_mbps: speed && speed > 0 ? speed : null,
    pci_address:
      /[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f]/i.exec(await realPath(join(folder, 'device')))?.[0] ?? null,
    driver: (await linkName(join(folder, 'device/driver'))) ?? null,
  }
}

/** What a lookup asks with. */
export async function macAddresses(root: string): Promise<string[]> {
  return [...new Set((await listNetworkCards(root)).map(({ mac_address }) => mac_address))]
}

/** For the screen: "eth0 52:54:00:12:34:56 (virtio_net, link up, 172.22.0.57)". */
export function describeCard({
  name,
  mac_address,
  has_carrier,
  ipv4_address,
  ipv6_address,
  driver,
}: NetworkCard): string {
  const address = ipv4_address ?? ipv6_address ?? 'no address'
  return `${basename(name)} ${mac_address} (${driver ?? 'unknown driver'}, ${has_carrier ? 'link up' : 'NO LINK'}, ${address})`
}
