/** The addresses that machines and agents are told. Only computes. */
import type { Config } from '../config/options.ts'
import { ConfigInvalid } from '../config/read.ts'

/** A listening address that means "all" is no address that a machine could be told. */
const ANY = new Set(['0.0.0.0', '::', ''])
export const isAnyAddress = (host_ip: string): boolean => ANY.has(host_ip)

/** Base of the operator's API, without a slash at the end. */
export function apiUrlOf({ api, DEFAULT }: Config, port: number): string {
  return `${api.enable_ssl_api ? 'https' : 'http'}://${bracketed(isAnyAddress(api.host_ip) ? DEFAULT.my_ip : api.host_ip)}:${port}`
}

export type RackAddress = {
  listen: { host: string; port: number }
  /** @param port  the one listened on. @returns the base of what machines fetch, without a slash at the end */
  urlFor(port: number): string
  /** As urlFor, for what agents call: lookup and heartbeat. */
  agentUrlFor(port: number): string
}

/** The rack's server listens where [deploy] http_url says. @throws ConfigInvalid */
export function rackAddressOf({ deploy, api, DEFAULT }: Config): RackAddress {
  const given = deploy.http_url
  const url = /^http:\/\//.test(given) && URL.canParse(given) ? new URL(given) : undefined
  if (url?.pathname !== '/' || url.search || url.hash || url.username) {
    throw new ConfigInvalid(
      `[deploy] http_url is "${given}": expected http://<address>:<port> with nothing behind it, e.g. http://${DEFAULT.my_ip}:8080.`,
    )
  }
  const port = url.port === '' ? 80 : Number(url.port)
  const external = deploy.external_http_url
  const told = bracketed(toldHost(unbracketed(url.hostname), { deploy, api, DEFAULT }))
  return {
    // An address of this box, or the loopback, is listened on itself. A name may be one of a proxy.
    listen: {
      host: api.ramdisk_host_ip ?? (isAddress(url.hostname) ? unbracketed(url.hostname) : DEFAULT.my_ip),
      port,
    },
    urlFor: (listened) => withoutSlash(external ?? `http://${told}:${listened}`),
    agentUrlFor: (listened) => withoutSlash(deploy.external_callback_url ?? `http://${told}:${listened}`),
  }
}

/** Where http_url says nothing of its own, machines are told the address that is listened on, if it is one. */
function toldHost(named: string, { deploy, api, DEFAULT }: Pick<Config, 'deploy' | 'api' | 'DEFAULT'>): string {
  const isDefault = deploy.http_url === `http://${bracketed(DEFAULT.my_ip)}:8080`
  const host = isDefault ? (api.ramdisk_host_ip ?? named) : named
  return isAnyAddress(host) ? DEFAULT.my_ip : host
}

const isAddress = (hostname: string) => /^[\d.]+$|^\[/.test(hostname)
const withoutSlash = (url: string) => url.replace(/\/+$/, '')
const bracketed = (host: string) => (host.includes(':') ? `[${host}]` : host)
const unbracketed = (host: string) => host.replace(/^\[|\]$/g, '')
