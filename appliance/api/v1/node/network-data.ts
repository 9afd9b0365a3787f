/**
 * network_data of a node: what its agent and its instance are to set up on its cards.
 * @source Ironic api/controllers/v1/network-data-schema.json, which is Nova's network_data.json
 */
import { isIPv4, isIPv6 } from 'node:net'
import { hasMembers } from '@appliance/ground/exact-number'
import { z } from 'zod'
import { InvalidParameterValue, messageOf } from '../../../errors.ts'
import { dict, text } from '../../schema.ts'

const oneOf = <T extends string>(...names: readonly T[]) => z.enum(names, `expected one of ${names.join(', ')}`)
const list = <S extends z.ZodType>(item: S) => z.array(item, 'expected a list')
const address = text.regex(/^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i, 'expected a valid MAC address')
const mtu = z.number('expected a number').min(1, 'expected at least 1').max(65535, 'expected at most 65535').nullable()
const link = { id: text, mtu: mtu.optional(), vif_id: text.optional() }
const LINK = z.discriminatedUnion(
  'type',
  [
    z.looseObject({
      ...link,
      type: oneOf('bridge', 'dvs', 'hw_veb', 'hyperv', 'ovs', 'tap', 'vhostuser', 'vif', 'phy'),
      ethernet_mac_address: address,
    }),
    z.looseObject({
      ...link,
      type: oneOf('bond'),
      ethernet_mac_address: address,
      bond_mode: oneOf(
        ...(['802.3ad', 'balance-rr', 'active-backup', 'balance-xor', 'broadcast', 'balance-tlb'] as const),
        'balance-alb',
      ),
      bond_links: list(text),
    }),
    z.looseObject({
      ...link,
      type: oneOf('vlan'),
      vlan_mac_address: address,
      vlan_id: z.int('expected a whole number'),
      vlan_link: text,
    }),
  ],
  'expected bond, vlan, or a type of card: bridge, dvs, hw_veb, hyperv, ovs, tap, vhostuser, vif, phy',
)

const prefixed = (isAddress: (value: string) => boolean) => (value: string) => {
  const [host = '', bits = '0', ...more] = value.split('/')
  return more.length === 0 && isAddress(host) && /^\d{1,2}$/.test(bits)
}
/** Ones, then zeros. */
const isNetmask = (value: string) =>
  isIPv4(value) &&
  /^1*0*$/.test(
    value
      .split('.')
      .map((octet) => Number(octet).toString(2).padStart(8, '0'))
      .join(''),
  )
const IPV4 = {
  host: text.refine(isIPv4, 'expected an IPv4 address'),
  netmask: text.refine(isNetmask, 'expected an IPv4 netmask'),
}
const IPV6 = {
  host: text.refine(prefixed(isIPv6), 'expected an IPv6 address'),
  netmask: text.refine(isIPv6, 'expected an IPv6 netmask'),
}
const service = (host: z.ZodType) => z.looseObject({ type: oneOf('dns'), address: host })
const network = <T extends string>({ host, netmask }: typeof IPV4, ...types: readonly T[]) =>
  z.looseObject({
    ...{ id: text, link: text, network_id: text, type: oneOf(...types) },
    ip_address: host.optional(),
    netmask: netmask.optional(),
    routes: list(
      z.looseObject({ network: host, netmask, gateway: host, services: list(service(host)).optional() }),
    ).optional(),
  })
const NETWORK = z.discriminatedUnion(
  'type',
  [network(IPV4, 'ipv4', 'ipv4_dhcp'), network(IPV6, 'ipv6', 'ipv6_dhcp', 'ipv6_slaac')],
  'expected ipv4, ipv4_dhcp, ipv6, ipv6_dhcp or ipv6_slaac as type',
)
const SERVICE = service(text.refine((value) => isIPv4(value) || prefixed(isIPv6)(value), 'expected an IP address'))

const NETWORK_DATA = z.looseObject({ links: list(LINK), networks: list(NETWORK), services: list(SERVICE) })

const isNone = (value: unknown) => hasMembers(value) && Object.keys(value).length === 0

/** {}, or what the schema says. What it does not speak of stays. */
const checkedBy = (schema: z.ZodType) =>
  dict.superRefine((given, context) => {
    if (isNone(given)) return
    for (const issue of schema.safeParse(given).error?.issues ?? []) {
      context.addIssue({ code: 'custom', path: issue.path, message: issue.message })
    }
  })
export const networkData = checkedBy(NETWORK_DATA)

/** @param schema  of [api] network_data_schema @throws InvalidParameterValue  it is no JSON schema */
export function networkDataBy(schema: unknown): typeof networkData {
  try {
    return checkedBy(z.fromJSONSchema(withPatterns(schema) as Parameters<typeof z.fromJSONSchema>[0]))
  } catch (cause) {
    throw new InvalidParameterValue(
      `The file of [api] network_data_schema cannot be used: ${messageOf(cause)}. Expected a JSON schema.`,
      { cause },
    )
  }
}

/** `(?i)` before a pattern is Python's way, which Ironic's own schema has. */
function withPatterns(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withPatterns)
  if (!hasMembers(schema)) return schema
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [
      key,
      key === 'pattern' && typeof value === 'string' ? value.replace(/^\(\?i\)(.*)$/s, '(?i:$1)') : withPatterns(value),
    ]),
  )
}
