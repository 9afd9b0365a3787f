/** What this box tells where its configuration is silent: its name, and its address on the rack's side. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import { hostname, networkInterfaces } from 'node:os'
import { confined } from '@appliance/ground/confine'
import type { BoxDefaults } from '../config/read.ts'

const LOOPBACK = '127.0.0.1'
const DEADLINE_MS = 5_000

/** The facts of this box that a configuration has to fit. */
export type Box = BoxDefaults & {
  /** Its network interfaces, each with its addresses as ADDRESS/PREFIX. */
  interfaces(): Interfaces
}

export const thisBox: Box = createBox()

function createBox(): Box {
  let known: Interfaces | undefined
  const interfaces = () => {
    known ??= readInterfaces()
    return known
  }
  /** The first IPv4 address of a network interface. */
  const addressOf = (name: string | undefined) =>
    (interfaces().get(name ?? '') ?? []).map((cidr) => cidr.split('/')[0] ?? '').find(isIPv4)
  return {
    host: hostname(),
    my_ip: (dhcpInterface) => addressOf(dhcpInterface) ?? addressOf(defaultRoute()) ?? LOOPBACK,
    interfaces,
  }
}

type Interfaces = ReadonlyMap<string, readonly string[]>
type Shown = { ifname?: string; addr_info?: { local?: string; prefixlen?: number }[] }

/**
 * Asks ip(8) in our own network namespace: Node leaves out interfaces that have no carrier, as the rack's has before
 * a switch is up, and those without an address.
 */
function readInterfaces(): Interfaces {
  const { stdout } = spawnSync(...confined('ip', ['-json', 'address'], {}), {
    ...{ cwd: '/', env: {}, encoding: 'utf8', timeout: DEADLINE_MS },
  })
  let shown: Shown[]
  try {
    shown = JSON.parse(stdout)
  } catch {
    // Without iproute2, the interfaces that Node knows have to do.
    return new Map(
      Object.entries(networkInterfaces()).map(([name, all = []]) => [name, all.flatMap(({ cidr }) => cidr ?? [])]),
    )
  }
  return new Map(
    shown.map(({ ifname = '', addr_info = [] }) => [
      ifname,
      addr_info.flatMap(({ local, prefixlen }) => (local === undefined ? [] : `${local}/${prefixlen}`)),
    ]),
  )
}

/** @source proc(5), /proc/net/route: destination and mask of the default route are zero */
function defaultRoute(): string | undefined {
  let table: string
  try {
    table = readFileSync('/proc/net/route', 'utf8')
  } catch {
    // Without /proc no route is found, and the loopback address is used.
    return undefined
  }
  const routes = table.split('\n').map((line) => line.split(/\s+/))
  return routes.find(([, destination, , , , , , mask]) => destination === '00000000' && mask === '00000000')?.[0]
}
