/** Where driver_info says that a BMC is, whatever hardware type it is of. Resolves no names. */
import { isIP } from 'node:net'
import type { Json } from '../plugin-api/index.ts'

/** Ironic's names for it: ipmi_address, redfish_address, ilo_address, irmc_address, drac_address, snmp_address. */
const KEY = /^[a-z0-9]+_address$/

/** @returns addresses. Names are left out: they may be at another address when they are asked for */
export function bmcAddressesOf(driver_info: Json): string[] {
  return Object.entries(driver_info).flatMap(([key, value]) => {
    if (!KEY.test(key) || typeof value !== 'string') return []
    const host = isIP(value) === 0 && URL.canParse(value) ? new URL(value).hostname : value
    // Without its zone: isIP takes one, a network has none.
    const address = host.replace(/^\[|\]$/g, '').replace(/%.*$/s, '')
    return isIP(address) === 0 ? [] : [address]
  })
}
