/**
 * Keeps away what a browser sends on behalf of somebody else's page: requests to a name that is not this box's (DNS
 * rebinding), requests of a foreign origin, and forms.
 */
import { isIPv6 } from 'node:net'
import { ForeignOrigin, Misdirected, NotJson } from './refusals.ts'

export type Headers = (name: string) => string | undefined
/** @returns whether a name or an address, lower-case and without brackets, is this box's */
export type IsOwnHost = (host: string) => boolean

/** Host, or the authority of a URL, without port and brackets; undefined: it is none. */
export function hostIn(authority: string): string | undefined {
  const [, bracketed, plain] = /^(?:\[([0-9a-f:.]+)\]|([^\s/@:[\]]+))(?::\d{1,5})?$/i.exec(authority) ?? []
  const host = (bracketed ?? plain)?.toLowerCase().replace(/\.$/, '')
  return host === undefined ? undefined : canonicalHost(host)
}

export const canonicalHost = (host: string): string =>
  isIPv6(host) ? new URL(`http://[${host}]`).hostname.slice(1, -1) : host.toLowerCase()

/** HTTP/1.0 has no Host, and no browser sends that. @throws Misdirected */
export function requireOwnHost(hosts: readonly string[], isOwn: IsOwnHost): void {
  if (hosts.length > 1) throw new Misdirected('The request has several Host headers: expected one.')
  const [authority] = hosts
  if (authority === undefined) return
  const host = hostIn(authority)
  if (host !== undefined && isOwn(host)) return
  throw new Misdirected(
    `Host ${JSON.stringify(authority.slice(0, 100))} is no name of this box. Call it by its address or its name, or add the name to [api] allowed_hosts.`,
  )
}

/**
 * Scripts of other origins; programs send no Origin.
 * @param origins  by which a client may have loaded a page from here
 * @throws ForeignOrigin
 */
export function requireOwnOrigin(header: Headers, origins: readonly string[]): void {
  const origin = header('origin')
  const site = header('sec-fetch-site')
  const isForeign = origin !== undefined && !origins.includes(origin.toLowerCase())
  if (!isForeign && (site === undefined || site === 'same-origin' || site === 'none')) return
  throw new ForeignOrigin(
    `A page of another origin (${JSON.stringify((origin ?? site ?? '').slice(0, 100))}) may not use this API.`,
  )
}

/** application/json, application/json-patch+json and their like, as clients send them. */
const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i

/** A form of a page can have any body but one that says it is JSON. @throws NotJson */
export function requireJson(header: Headers): void {
  const length = header('content-length')
  const hasBody = header('transfer-encoding') !== undefined || (length !== undefined && length !== '0')
  const type = header('content-type')
  if (!hasBody || (type !== undefined && JSON_TYPE.test(type))) return
  const found = type === undefined ? 'no Content-Type' : `Content-Type ${JSON.stringify(type.slice(0, 100))}`
  throw new NotJson(`The body has ${found}: expected application/json (curl: -H 'Content-Type: application/json').`)
}
