/**
 * Checks the addresses and ports of the configuration: they must be addresses, this box's own, and used once. Opens
 * nothing.
 */
import { isIP, isIPv6 } from 'node:net'
import { isLoopback } from '@appliance/ground/networks'
import type { RegistryConfig } from '@appliance/registry-mirror'
import type { Config } from '../../config/options.ts'
import { ConfigInvalid } from '../../config/read.ts'
import { isAnyAddress, rackAddressOf } from '../addresses.ts'
import type { Box } from '../box.ts'

/** @returns one sentence each */
export function problemsOfAddresses(
  config: Config,
  registry: Pick<RegistryConfig, 'host_ip' | 'port'>,
  box: Box,
): string[] {
  const { api, deploy, DEFAULT } = config
  const rack = rackOf(config)
  const mine = problemOfMyIp(DEFAULT.my_ip, box)
  // The default of http_url is made of my_ip: a problem of my_ip is reported once.
  const isOfMyIp = mine !== undefined && deploy.http_url.startsWith(`http://${DEFAULT.my_ip}:`)
  const theirs = typeof rack === 'string' ? rack : problemOfHttpUrl(config, box)
  return [
    mine,
    problemOfHost('[api] host_ip', api.host_ip, box),
    ...(api.ramdisk_host_ip ? [problemOfHost('[api] ramdisk_host_ip', api.ramdisk_host_ip, box)] : []),
    ...(isOfMyIp ? [] : [theirs]),
    ...(config.registry.enabled ? [problemOfHost('[registry] host_ip', registry.host_ip, box)] : []),
    ...problemsOfPorts(config, registry),
  ].filter((problem) => problem !== undefined)
}

type Place = { host: string; port: number }

/** @returns where it listens, or what is wrong with it */
function rackOf(config: Config): Place | string {
  try {
    return rackAddressOf(config).listen
  } catch (error) {
    if (error instanceof ConfigInvalid) return error.message
    throw error
  }
}

function addressesOf(box: Box): string[] {
  return [...box.interfaces().values()].flat().map((cidr) => cidr.split('/')[0] ?? '')
}

const canonical = (address: string) => (isIPv6(address) ? new URL(`http://[${address}]`).hostname : address)
const isOwn = (address: string, box: Box) =>
  isLoopback(address) || addressesOf(box).map(canonical).includes(canonical(address))

/** Lists addresses that others reach, as "192.0.2.1 (eth1)". */
function ownAddresses(box: Box): string {
  const found = [...box.interfaces()].flatMap(([name, cidrs]) =>
    cidrs
      .map((cidr) => cidr.split('/')[0] ?? '')
      .filter((address) => !isLoopback(address) && !/^fe80:/i.test(address))
      .map((address) => `${address} (${name})`),
  )
  return found.join(', ') || 'none: no interface has one'
}

function problemOfMyIp(my_ip: string, box: Box): string | undefined {
  if (isIP(my_ip) === 0)
    return `[DEFAULT] my_ip is "${my_ip}": expected an IP address of this box. It has ${ownAddresses(box)}.`
  if (isAnyAddress(my_ip))
    return `[DEFAULT] my_ip is ${my_ip}, which no machine can call: expected one address of this box. It has ${ownAddresses(box)}.`
  if (isOwn(my_ip, box)) return undefined
  return `[DEFAULT] my_ip is ${my_ip}, which is not an address of this box. It has ${ownAddresses(box)}.`
}

function problemOfHost(option: string, host: string, box: Box): string | undefined {
  if (isAnyAddress(host) || host === 'localhost') return undefined
  if (isIP(host) === 0) {
    const cidrs = box.interfaces().get(host)
    const address = cidrs?.[0]?.split('/')[0]
    const why =
      cidrs === undefined ? '' : `, which is a network interface${address ? ` (its address is ${address})` : ''}`
    return `${option} is "${host}"${why}: expected an IP address of this box, or 0.0.0.0 for all. It has ${ownAddresses(box)}.`
  }
  if (isOwn(host, box)) return undefined
  return `${option} is ${host}, which is not an address of this box, so that nothing can listen there. It has ${ownAddresses(box)}.`
}

/** A name is not listened on: see rackAddressOf. */
function problemOfHttpUrl({ deploy }: Config, box: Box): string | undefined {
  const { hostname } = new URL(deploy.http_url)
  const address = hostname.replace(/^\[|\]$/g, '')
  if (isIP(address) === 0 || isAnyAddress(address) || isOwn(address, box)) return undefined
  return `[deploy] http_url is "${deploy.http_url}", and ${address} is not an address of this box, so that nothing can listen there. It has ${ownAddresses(box)}. When machines are to call another address, set external_http_url.`
}

/** Two own ports that collide would otherwise look like another program. */
function problemsOfPorts(config: Config, registry: Place | Pick<RegistryConfig, 'host_ip' | 'port'>): string[] {
  const rack = rackOf(config)
  const places: [string, Place][] = [['[api] port', { host: config.api.host_ip, port: config.api.port }]]
  if (typeof rack !== 'string') places.push(['[deploy] http_url', rack])
  if (config.registry.enabled && 'host_ip' in registry)
    places.push(['[registry] port', { host: registry.host_ip, port: registry.port }])
  return places.flatMap(([option, place], index) =>
    places
      .slice(index + 1)
      .filter(([, other]) => isSamePlace(place, other))
      .map(([other]) => `${option} and ${other} both name port ${place.port}: expected two. Change one of them.`),
  )
}

const isSamePlace = (a: Place, b: Place) =>
  a.port !== 0 && a.port === b.port && (a.host === b.host || isAnyAddress(a.host) || isAnyAddress(b.host))
