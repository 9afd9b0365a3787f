/**
 * Which addresses this box connects to by itself. Each address is checked after its name was resolved, at each
 * connection: neither a redirect nor a name that changes its address goes around it. Opens no connection.
 */
import { lookup as resolve } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { formsOf, networksOf } from './networks.ts'
import { ownNetworks } from './own-networks.ts'

/** No connection was tried. The message says which address, what it is, and which option allows it. */
export class AddressRefused extends Error {
  readonly code = 'ERR_ADDRESS_REFUSED'
  override get name(): string {
    return this.constructor.name
  }
}

export type ReachOptions = {
  /** In CIDR notation: reached whatever else is said of them. */
  allowed: readonly string[]
  /** How the operator knows `allowed`: '[DEFAULT] reachable_networks'. */
  option: string
  /** Refused beside what always is, and what that is to the operator. Asked at each connection. */
  refused?(): readonly { networks: Iterable<string>; what: string }[]
}
export type Reach = {
  /** As that of node:net: tells none but addresses that may be reached. */
  lookup: LookupFunction
  /** In front of undici's connector with this `lookup`, which an address in the place of a name never gets to. */
  guard<O extends { hostname: string }, C extends (error: Error, socket: null) => void>(
    connect: (options: O, callback: C) => void,
  ): (options: O, callback: C) => void
  /** For a program that connects by itself. @returns an address. @throws AddressRefused, or that of node:dns */
  addressOf(host: string): Promise<string>
}

const ALWAYS = [
  ['127.0.0.0/8', 'a loopback address'],
  ['::1', 'a loopback address'],
  ['169.254.0.0/16', 'a link-local address'],
  ['fe80::/10', 'a link-local address'],
  // RFC 1122 section 3.2.1.3; Linux takes 0.0.0.0 and :: for the box itself.
  ['0.0.0.0/8', 'no address of a server'],
  ['::', 'no address of a server'],
  ['224.0.0.0/4', 'a multicast address'],
  ['ff00::/8', 'a multicast address'],
  ['255.255.255.255', 'a broadcast address'],
] as const

export function createReach({ allowed, option, refused = () => [] }: ReachOptions): Reach {
  const exceptions = networksOf(allowed)
  const always = ALWAYS.map(([network, what]) => ({ networks: networksOf([network]), what }))

  /** What an address is, because of which it is refused. */
  function kindOf(address: string): string | undefined {
    const found = always.find(({ networks }) => networks.has(address))?.what
    if (found !== undefined) return found
    if (networksOf(ownNetworks()).has(address)) return 'an address of this box'
    return refused().find(({ networks }) => networksOf(networks).has(address))?.what
  }

  /** Throws nothing: it is asked in callbacks, where nobody catches. What cannot be told is refused. */
  function problemOf(address: string, host: string): Error | undefined {
    try {
      return refusalOf(address, host)
    } catch (cause) {
      return new Error(
        `whether ${host} may be reached cannot be told: ${cause instanceof Error ? cause.message : cause}`,
        { cause },
      )
    }
  }

  function refusalOf(address: string, host: string): AddressRefused | undefined {
    for (const form of formsOf(address)) {
      const kind = exceptions.has(form) ? undefined : kindOf(form)
      if (kind === undefined) continue
      const subject = host === address ? address : `${host} is at ${address}, which`
      return new AddressRefused(`${subject} is ${kind}: this box connects there only when ${option} allows it`)
    }
    return undefined
  }

  const lookup: LookupFunction = (host, options, callback) => {
    resolve(host, { ...options, all: true }, (error, found) => {
      if (error) return void callback(error, [])
      const problems = found.map(({ address }) => problemOf(address, host))
      const reached = found.filter((_, index) => problems[index] === undefined)
      const [first] = reached
      if (first === undefined) return void callback(problems[0] ?? new Error(`${host} has no address`), [])
      if (options.all) callback(null, reached)
      else callback(null, first.address, first.family)
    })
  }

  return {
    lookup,
    guard: (connect) => (options, callback) => {
      const host = options.hostname.replace(/^\[|\]$/g, '')
      const problem = isIP(host) === 0 ? undefined : problemOf(host, host)
      if (problem) callback(problem, null)
      else connect(options, callback)
    },
    addressOf: (host) =>
      new Promise((done, fail) => {
        lookup(host, {}, (error, address) => (error ? fail(error) : done(String(address))))
      }),
  }
}
