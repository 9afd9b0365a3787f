/** Which addresses our DHCP has given to which machines, as dnsmasq's lease file has it. Only reads it. */
import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { isMissing } from '@appliance/ground/errno'
import { plainAddress } from '@appliance/ground/plain-address'
import type { PxeConfig } from '../config.ts'
import { dnsmasqPaths, isIpv6, isProxy } from './config.ts'

/**
 * Whether `address` is leased to `mac`; undefined: it cannot be told, because another DHCP server gives the addresses,
 * or because an IPv6 client has not told its MAC.
 * @param mac  lower case with colons
 */
export type IsLeased = (mac: string, address: string) => Promise<boolean | undefined>

type Lease = { address: string; mac: string | undefined }

/** dnsmasq writes the file in place: who reads it at that moment finds less in it. */
const ATTEMPTS = 5
const PAUSE_MS = 50

export function createIsLeased(config: Pick<PxeConfig, 'dhcp_provider' | 'dhcp_ranges' | 'state_path'>): IsLeased {
  const { dhcp_provider, dhcp_ranges, state_path } = config
  if (dhcp_provider !== 'dnsmasq' || dhcp_ranges.some(isProxy)) return async () => undefined
  const { leases: file } = dnsmasqPaths(state_path)
  const givesIpv6 = dhcp_ranges.some(isIpv6)
  return async (mac, given) => {
    const address = plainAddress(given)
    const isUnsure = address.includes(':') && givesIpv6
    for (let attempt = 1; ; attempt++) {
      const found = (await readLeases(file)).filter((lease) => lease.address === address)
      if (found.some((lease) => lease.mac === mac)) return true
      if (found.some((lease) => lease.mac !== undefined)) return false
      if (isUnsure) return undefined
      if (attempt === ATTEMPTS) return false
      await pause(PAUSE_MS)
    }
  }
}

async function readLeases(file: string): Promise<Lease[]> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return ''
    throw error
  })
  return parseLeases(text)
}

/**
 * Lines of `EXPIRY MAC ADDRESS NAME CLIENT-ID`; after the line of the server's DUID, `EXPIRY IAID ADDRESS NAME DUID`.
 * @source dnsmasq src/lease.c, lease_update_file
 */
function parseLeases(text: string): Lease[] {
  return text.split('\n').flatMap((line) => {
    const [expiry = '', hardware = '', address = '', , client = ''] = line.split(' ')
    if (!/^\d+$/.test(expiry) || address === '') return []
    const mac = address.includes(':') ? macInDuid(client) : /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.exec(hardware)?.[0]
    return [{ address: plainAddress(address), mac: mac?.toLowerCase() }]
  })
}

/** RFC 8415 sections 11.2 and 11.4: DUID-LLT and DUID-LL of Ethernet end with the MAC. */
const macInDuid = (duid: string): string | undefined =>
  /^(?:00:01:00:01(?::[0-9a-f]{2}){4}|00:03:00:01):((?:[0-9a-f]{2}:){5}[0-9a-f]{2})$/i.exec(duid)?.[1]
