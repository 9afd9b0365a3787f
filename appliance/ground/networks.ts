/** IP addresses and networks in CIDR notation, as texts: reads and compares them. Resolves no names. */
import { BlockList, isIP } from 'node:net'
import { plainAddress } from './plain-address.ts'

export type Network = { address: string; prefix: number; family: 'ipv4' | 'ipv6' }

/** @param text  192.168.50.0/24, fd00::/8, or an address that stands for itself. @returns undefined  it is neither */
export function parseNetwork(text: string): Network | undefined {
  const [, address = '', bits] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text.trim()) ?? []
  const version = isIP(address)
  if (version === 0) return undefined
  const most = version === 4 ? 32 : 128
  const prefix = bits === undefined ? most : Number(bits)
  return prefix <= most ? { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' } : undefined
}

/** Quick for thousands of addresses. @throws Error  one of them is no network */
export function networksOf(texts: Iterable<string>): { has(address: string): boolean } {
  const single = new Set<string>()
  const list = new BlockList()
  for (const text of texts) {
    const network = parseNetwork(text)
    if (!network) throw new Error(`'${text}' is no network: expected one such as 192.168.50.0/24 or fd00::/8.`)
    const { address, prefix, family } = network
    if (prefix === (family === 'ipv4' ? 32 : 128)) single.add(plainAddress(address))
    else list.addSubnet(address, prefix, family)
  }
  return {
    has(address) {
      const version = isIP(address)
      return (
        version !== 0 && (single.has(plainAddress(address)) || list.check(address, version === 4 ? 'ipv4' : 'ipv6'))
      )
    },
  }
}

/** Whom an address stands for: of IPv6, one client has a whole network of 64 bits. '' for a unix socket. */
export function sourceOf(address: string): string {
  const plain = plainAddress(address)
  if (isIP(plain) !== 6) return plain
  return wordsOf(plain)
    .slice(0, 4)
    .map((word) => word.toString(16))
    .join(':')
}

/** Of a host that is listened on: nobody else reaches it. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))

/**
 * The address itself, without its zone, and the IPv4 address that it carries: what is sent to the one may arrive at the
 * other.
 */
export function formsOf(address: string): string[] {
  const [bare = ''] = address.split('%')
  if (isIP(bare) !== 6) return [bare]
  const carried = carriedBy(wordsOf(bare))
  return carried === undefined ? [bare] : [bare, carried]
}

/** The eight groups of an IPv6 address. */
function wordsOf(address: string): number[] {
  // WHATWG URL, "IPv6 serializer": lower-case hex, one ::, no dotted part.
  const plain = new URL(`http://[${address.split('%')[0]}]`).hostname.slice(1, -1)
  const [before = '', after] = plain.split('::')
  const read = (part = '') => (part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16)))
  const [head, tail] = [read(before), read(after)]
  return [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail]
}

const dotted = (high = 0, low = 0) => [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')

/** RFC 4291 section 2.5.5.2. */
const isMapped = (words: readonly number[]) => words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff

function carriedBy(words: readonly number[]): string | undefined {
  const [first, second, ...others] = words
  // RFC 3056: 6to4.
  if (first === 0x2002) return dotted(second, others[0])
  // RFC 6052: NAT64.
  const isNat64 = first === 0x64 && second === 0xff9b && others.slice(0, 4).every((word) => word === 0)
  // RFC 4291 section 2.5.5.1: IPv4-compatible; :: and ::1 carry none.
  const isCompatible = words.slice(0, 6).every((word) => word === 0) && words[6] !== 0
  return isNat64 || isMapped(words) || isCompatible ? dotted(words[6], words[7]) : undefined
}
