/**
 * What a switch tells of itself by LLDP, from the TLVs that an agent has caught. Each is a stranger's: what does not
 * fit is left out. @source IEEE 802.1AB-2016 section 8, 802.1Q annex D, 802.3 annex 79
 */
import { plainText } from '@appliance/ground/plain-text'

/** By the names that Ironic gives them. */
export type Neighbour = Record<string, unknown>

/** The type, and the bytes of the value. */
export type Tlv = readonly [type: number, value: Buffer]

/** @source 802.1AB section 8.4: nine bits */
const VALUE_LIMIT = 511
/** A frame of 1,500 bytes may hold 700 empty ones. */
const TLVS_LIMIT = 128
/** Of what is told again and again: VLANs, addresses. */
const LIST_LIMIT = 64

/** @param told  pairs of type and hexadecimal digits, as ironic-python-agent has them */
export function tlvsIn(told: unknown): readonly Tlv[] {
  if (!Array.isArray(told)) return []
  return told.slice(0, TLVS_LIMIT).flatMap((item): Tlv[] => {
    if (!Array.isArray(item)) return []
    const [type, digits] = item as readonly unknown[]
    const isOne = Number.isInteger(type) && typeof digits === 'string' && digits.length <= 2 * VALUE_LIMIT
    return isOne && /^(?:[0-9a-f]{2})*$/i.test(digits) ? [[Number(type), Buffer.from(digits, 'hex')]] : []
  })
}

const text = (bytes: Buffer): string | undefined => plainText(bytes.toString('utf8')) || undefined
const mac = (bytes: Buffer) =>
  bytes.length === 6 ? [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':') : undefined

/** @source IANA address family numbers */
function address(family: number | undefined, bytes: Buffer): string | undefined {
  if (family === 1 && bytes.length >= 4) return [...bytes.subarray(0, 4)].join('.')
  if (family === 6) return mac(bytes.subarray(0, 6))
  if (family !== 2 || bytes.length < 16) return undefined
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16))
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}

type Id = { kind: 'mac' | 'address' | 'text'; value: string } | undefined

/** @param macSubtype  4 of a chassis, 3 of a port; the next one is an address */
function idIn(value: Buffer, macSubtype: number): Id {
  const [subtype] = value
  const rest = value.subarray(1)
  const of = (kind: 'mac' | 'address' | 'text', found: string | undefined): Id =>
    found === undefined ? undefined : { kind, value: found }
  if (subtype === macSubtype) return of('mac', mac(rest))
  if (subtype === macSubtype + 1) return of('address', address(rest[0], rest.subarray(1)))
  return subtype !== undefined && subtype >= 1 && subtype <= 7 ? of('text', text(rest)) : undefined
}
export const chassisIn = (value: Buffer): Id => idIn(value, 4)
export const portIn = (value: Buffer): Id => idIn(value, 3)
export const nameIn = text

const CAPABILITIES: readonly (readonly [bit: number, name: string])[] = [
  ...([
    [1, 'Repeater'],
    [2, 'Bridge'],
    [3, 'WLAN'],
    [4, 'Router'],
    [5, 'Telephone'],
  ] as const),
  ...([
    [6, 'DOCSIS cable device'],
    [7, 'Station only'],
    [8, 'C-Vlan'],
    [9, 'S-Vlan'],
    [10, 'TPMR'],
  ] as const),
]
const capabilitiesIn = (bits: number) => CAPABILITIES.flatMap(([bit, name]) => (bits & (1 << bit) ? [name] : []))

type Read = (value: Buffer, found: Neighbour) => void

/** The first one counts. */
const set = (found: Neighbour, name: string, value: unknown) => {
  if (value !== undefined && !Object.hasOwn(found, name)) found[name] = value
}
const add = (found: Neighbour, name: string, value: unknown) => {
  const list = Array.isArray(found[name]) ? (found[name] as unknown[]) : []
  if (value !== undefined && list.length < LIST_LIMIT) found[name] = [...list, value]
}
const number =
  (name: string): Read =>
  (value, found) => {
    if (value.length >= 2) set(found, name, value.readUInt16BE(0))
  }
const flags = (bits: number | undefined, found: Neighbour, prefix: string) => {
  set(found, `${prefix}_enabled`, Boolean((bits ?? 0) & 2))
  set(found, `${prefix}_support`, Boolean((bits ?? 0) & 1))
}
/** Moved from 802.3 to 802.1, and still sent as either. */
const linkAggregation: Read = (value, found) => {
  if (value.length !== 5) return
  flags(value[0], found, 'switch_port_link_aggregation')
  set(found, 'switch_port_link_aggregation_id', value.readUInt32BE(1))
}

const BASIC: Readonly<Record<number, Read>> = {
  1: (value, found) => set(found, 'switch_chassis_id', chassisIn(value)?.value),
  2: (value, found) => set(found, 'switch_port_id', portIn(value)?.value),
  4: (value, found) => set(found, 'switch_port_description', text(value)),
  5: (value, found) => set(found, 'switch_system_name', text(value)),
  6: (value, found) => set(found, 'switch_system_description', text(value)),
  7(value, found) {
    if (value.length !== 4) return
    set(found, 'switch_capabilities_support', capabilitiesIn(value.readUInt16BE(0) >> 0))
    set(found, 'switch_capabilities_enabled', capabilitiesIn(value.readUInt16BE(2) >> 0))
  },
  8: (value, found) => add(found, 'switch_mgmt_addresses', address(value[1], value.subarray(2))),
  127: ofOrganization,
}

const DOT1: Readonly<Record<number, Read>> = {
  1: number('switch_port_untagged_vlan_id'),
  2(value, found) {
    if (value.length !== 3) return
    set(found, 'switch_port_protocol_vlan_enabled', Boolean((value[0] ?? 0) & 4))
    set(found, 'switch_port_protocol_vlan_support', Boolean((value[0] ?? 0) & 2))
    add(found, 'switch_port_protocol_vlan_ids', value.readUInt16BE(1))
  },
  3(value, found) {
    const length = value[2]
    if (length === undefined || value.length < 3 + length) return
    const name = text(value.subarray(3, 3 + length))
    add(found, 'switch_port_vlans', { name: name ?? '', id: value.readUInt16BE(0) })
  },
  4(value, found) {
    const length = value[0] ?? 0
    if (value.length >= 1 + length)
      add(found, 'switch_protocol_identities', value.subarray(1, 1 + length).toString('hex'))
  },
  6: number('switch_port_management_vlan_id'),
  7: linkAggregation,
}
const DOT3: Readonly<Record<number, Read>> = {
  1(value, found) {
    if (value.length === 5) flags(value[0], found, 'switch_port_autonegotiation')
  },
  3: linkAggregation,
  4: number('switch_port_mtu'),
}
const ORGANIZATIONS: Readonly<Record<string, Readonly<Record<number, Read>>>> = { '0080c2': DOT1, '00120f': DOT3 }

function ofOrganization(value: Buffer, found: Neighbour): void {
  const subtype = value[3]
  if (subtype !== undefined) ORGANIZATIONS[value.toString('hex', 0, 3)]?.[subtype]?.(value.subarray(4), found)
}

/** What an operator can read of them. */
export function neighbourIn(tlvs: readonly Tlv[]): Neighbour {
  const found: Neighbour = {}
  for (const [type, value] of tlvs) BASIC[type]?.(value, found)
  return found
}
