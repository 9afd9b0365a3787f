/** What this box says of itself where its configuration is silent: its name, and its address on the rack's side. */
import { readFileSync } from 'node:fs'
import { hostname, networkInterfaces } from 'node:os'
import type { BoxDefaults } from '../config/read.ts'

const LOOPBACK = '127.0.0.1'

/** What of this box a configuration has to fit. */
export type Box = BoxDefaults & {
  /** Its network interfaces, each with its addresses as ADDRESS/PREFIX. */
  interfaces(): ReadonlyMap<string, readonly string[]>
}

export const thisBox: Box = {
  host: hostname(),
  my_ip: (dhcpInterface) => addressOf(dhcpInterface) ?? addressOf(defaultRoute()) ?? LOOPBACK,
  interfaces: readInterfaces,
}

/** Those without an address, too: Node tells of the others only. */
function readInterfaces(): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>(namesOfInterfaces().map((name) => [name, []]))
  for (const [name, addresses = []] of Object.entries(networkInterfaces())) {
    found.set(
      name,
      addresses.flatMap(({ cidr }) => cidr ?? []),
    )
  }
  return found
}

/** @source proc(5), /proc/net/dev: two lines of heading. /sys would tell those of the network namespace that it was mounted in. */
function namesOfInterfaces(): string[] {
  let table: string
  try {
    table = readFileSync('/proc/net/dev', 'utf8')
  } catch {
    // Without /proc those with an address are known.
    return []
  }
  return table
    .split('\n')
    .slice(2)
    .flatMap((line) => /^\s*(\S+):/.exec(line)?.[1] ?? [])
}

/** The first IPv4 address of a network interface. */
function addressOf(name: string | undefined): string | undefined {
  const addresses = name === undefined ? [] : (networkInterfaces()[name] ?? [])
  return addresses.find(({ family }) => family === 'IPv4')?.address
}

/** @source proc(5), /proc/net/route: destination and mask of the default route are zero */
function defaultRoute(): string | undefined {
  let table: string
  try {
    table = readFileSync('/proc/net/route', 'utf8')
  } catch {
    // Without /proc there is no route to be found; the loopback address is told then.
    return undefined
  }
  const routes = table.split('\n').map((line) => line.split(/\s+/))
  return routes.find(([, destination, , , , , , mask]) => destination === '00000000' && mask === '00000000')?.[0]
}
