/**
 * Checks [dhcp] against this box: the interface must be there, and dnsmasq must be able to give the addresses of each
 * range. Starts nothing.
 */
import { isIPv6 } from 'node:net'
import type { Config } from '../../config/options.ts'
import type { Box } from '../box.ts'
import { isIn, type Network, networkOf, numberOf, prefixOf } from './ipv4.ts'

const EXAMPLE = 'e.g. 192.168.50.100,192.168.50.200,255.255.255.0,1h'
const MODES = new Set(['static', 'proxy'])
const LEASE = /^(?:\d+[smhdw]?|infinite)$/i

/** @returns one sentence each */
export function problemsOfDhcp({ dhcp, DEFAULT }: Config, box: Box): string[] {
  if (dhcp.dhcp_provider !== 'dnsmasq') return []
  const { interface: name, dhcp_range } = dhcp
  const missing = problemOfInterface(name, box)
  const mine = box.interfaces().get(name ?? '') ?? []
  // Without an address on the interface, [DEFAULT] my_ip is all that is known of the rack's network.
  const addresses = mine.some((cidr) => numberOf(addressIn(cidr)) !== undefined) ? mine : cidrsOf(DEFAULT.my_ip, box)
  const rack = { addresses, networks: networksOf(addresses), hasSeveral: dhcp_range.length > 1 }
  return [
    ...(missing === undefined ? [] : [missing]),
    ...(dhcp_range.length === 0
      ? [`[dhcp] dhcp_range is empty, and dhcp_provider is dnsmasq: give the addresses for machines, ${EXAMPLE}.`]
      : dhcp_range.flatMap((range) => {
          const problem = problemOfRange(range, rack)
          return problem === undefined ? [] : [`[dhcp] dhcp_range "${range}" ${problem}`]
        })),
  ]
}

function problemOfInterface(name: string | undefined, box: Box): string | undefined {
  if (name === undefined) {
    return `[dhcp] interface is not set, and dhcp_provider is dnsmasq: name the network interface on the rack's side.`
  }
  const names = [...box.interfaces().keys()].filter((found) => found !== 'lo')
  if (box.interfaces().has(name)) return undefined
  return `[dhcp] interface is "${name}", and this box has no such network interface: expected one of ${names.join(', ') || 'none, it has only lo'}.`
}

const addressIn = (cidr: string) => cidr.split('/')[0] ?? ''

function cidrsOf(address: string, box: Box): string[] {
  return [...box.interfaces().values()].flat().filter((cidr) => addressIn(cidr) === address)
}

function networksOf(cidrs: readonly string[]): Network[] {
  return cidrs.flatMap((cidr) => {
    const address = numberOf(addressIn(cidr))
    return address === undefined ? [] : [networkOf(address, Number(cidr.split('/')[1] ?? 32))]
  })
}

type Rack = { addresses: readonly string[]; networks: readonly Network[]; hasSeveral: boolean }

/**
 * @source dnsmasq(8) --dhcp-range=[tag:..,][set:..,]start[,end|mode][,netmask[,broadcast]][,lease]; of IPv6, dnsmasq
 * itself is the judge
 */
function problemOfRange(range: string, rack: Rack): string | undefined {
  const words = range
    .split(',')
    .map((word) => word.trim())
    .filter((word) => !/^(?:tag|set|interface):/.test(word))
  const [start = '', ...others] = words
  if (isIPv6(start)) return undefined
  const hyphen = /^(\d+(?:\.\d+){3})\s*-\s*(\d+(?:\.\d+){3})$/.exec(start)
  if (hyphen) return `has a hyphen between its addresses: expected a comma, ${hyphen[1]},${hyphen[2]}.`
  const first = numberOf(start)
  if (first === undefined) return `begins with "${start}": expected an IPv4 address, ${EXAMPLE}.`
  const [second = '', ...rest] = others
  const isMode = MODES.has(second)
  const last = isMode ? first : numberOf(second)
  if (last === undefined)
    return `has "${second}" for its last address: expected an IPv4 address, static or proxy, ${EXAMPLE}.`
  if (last < first) return `ends before it starts: swap ${start} and ${second}.`
  return problemOfTail(rest) ?? problemOfPlace({ first, last, isMode, netmask: netmaskIn(rest) }, rack)
}

const netmaskIn = (rest: readonly string[]) => (rest[0]?.includes('.') ? rest[0] : undefined)

function problemOfTail(rest: readonly string[]): string | undefined {
  const netmask = netmaskIn(rest)
  if (netmask !== undefined && prefixOf(netmask) === undefined)
    return `has the netmask "${netmask}": expected one such as 255.255.255.0.`
  const tail = netmask === undefined ? rest : rest.slice(1)
  const [broadcast] = tail
  const further =
    netmask !== undefined && broadcast !== undefined && numberOf(broadcast) !== undefined ? tail.slice(1) : tail
  const [lease, more] = further
  if (lease !== undefined && !LEASE.test(lease))
    return `has "${lease}" for its lease time: expected a number with s, m, h, d or w behind it such as 1h, or infinite.`
  return more === undefined
    ? undefined
    : `goes on with "${more}" behind the lease time: expected its end there, ${EXAMPLE}.`
}

type Range = { first: number; last: number; isMode: boolean; netmask: string | undefined }

/** A range with a netmask of another network belongs to a relay, if a second range is for this network. */
function problemOfPlace({ first, last, isMode, netmask }: Range, rack: Rack): string | undefined {
  const { networks, addresses, hasSeveral } = rack
  const mask = netmask === undefined ? undefined : networkOf(first, prefixOf(netmask) ?? 32)
  if (mask && !isIn(last, mask))
    return `reaches beyond its network ${mask.text}: end it there, or give a shorter netmask.`
  if (networks.length === 0) return undefined
  const network = networks.find((found) => isIn(first, found))
  if (!network) {
    if (netmask !== undefined && hasSeveral) return undefined
    return `is of another network than this box, which is in ${networks.map(({ text }) => text).join(' and ')} there: expected addresses of that.`
  }
  if (!isIn(last, network)) return `reaches beyond the network of this box, ${network.text}: end it there.`
  const mine = addresses.map(addressIn).find((address) => {
    const number = numberOf(address)
    return number !== undefined && number >= first && number <= last
  })
  if (mine === undefined || isMode) return undefined
  return `holds ${mine}, which is this box's own address: leave it out.`
}
