/**
 * Authenticates this mirror to an upstream: Basic, or Bearer with a token from the realm of the challenge. Tokens
 * stay in memory; nothing here is logged.
 */
import { createHash } from 'node:crypto'
import { parseJson } from '@appliance/ground/json-meter'
import type { Credentials } from '../oci/secret.ts'

/** RFC 9110 section 11.6.1, as registries write it. */
export type Challenge = { scheme: 'basic' } | { scheme: 'bearer'; realm: string; service?: string; scope?: string }

const DEFAULT_LIFE_S = 60
/** A token that expires within this time is not used. */
const MARGIN_MS = 5_000
const KEPT_LIMIT = 1_000

export function parseChallenge(header: string | readonly string[] | undefined): Challenge | undefined {
  const texts = header === undefined ? [] : typeof header === 'string' ? [header] : header
  for (const text of texts) {
    if (/^basic(\s|$)/i.test(text)) return { scheme: 'basic' }
    if (!/^bearer\s/i.test(text)) continue
    const parts = Object.fromEntries(
      [...text.matchAll(/([a-z_]+)="([^"]*)"/gi)].map(([, key = '', value = '']) => [key.toLowerCase(), value]),
    )
    const { realm, service, scope } = parts
    if (realm !== undefined && URL.canParse(realm))
      return { scheme: 'bearer', realm, ...(service && { service }), ...(scope && { scope }) }
  }
  return undefined
}

export const basicOf = ({ username, password }: Credentials): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`

/** The key of a cached token: it names the bearer, and no secret. */
export const identityOf = (credentials: Credentials | undefined): string =>
  credentials === undefined ? '' : createHash('sha256').update(basicOf(credentials)).digest('hex')

/** Of registries that everybody knows, whose tokens come from another host. */
const KNOWN_TOKEN_HOSTS: Readonly<Record<string, string>> = { 'registry-1.docker.io': 'auth.docker.io' }

/**
 * Whether an upstream's credentials are for the host that its challenge names: whoever answers for the upstream once
 * would else have them sent to himself.
 */
export function mayHaveCredentials(realm: URL, { url, token_hosts }: { url: URL; token_hosts: readonly string[] }) {
  const { hostname } = realm
  const known = Object.hasOwn(KNOWN_TOKEN_HOSTS, url.hostname) ? KNOWN_TOKEN_HOSTS[url.hostname] : undefined
  return hostname === url.hostname || hostname === known || token_hosts.includes(hostname)
}

/** The address that issues the token. @source distribution/spec/auth/token.md */
export function tokenUrl({ realm, service, scope }: Extract<Challenge, { scheme: 'bearer' }>, wanted: string): URL {
  const url = new URL(realm)
  if (service) url.searchParams.set('service', service)
  url.searchParams.set('scope', scope ?? wanted)
  return url
}

/** @returns undefined  the answer has no token */
export function tokenIn(text: string, now = Date.now()): Token | undefined {
  try {
    const { token, access_token, expires_in } = parseJson(text) as Record<string, unknown>
    const value = typeof token === 'string' && token !== '' ? token : access_token
    if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value)) return undefined
    const life_s = typeof expires_in === 'number' && expires_in > 0 ? expires_in : DEFAULT_LIFE_S
    return { header: `Bearer ${value}`, until: now + life_s * 1000 - MARGIN_MS }
  } catch {
    // An answer that is no JSON has no token.
    return undefined
  }
}

export type Token = { header: string; until: number }

/** The last valid token for each scope and bearer. */
export class Tokens {
  readonly #kept = new Map<string, Token>()

  get(key: string, now = Date.now()): string | undefined {
    const token = this.#kept.get(key)
    return token && token.until > now ? token.header : undefined
  }
  keep(key: string, token: Token): void {
    if (this.#kept.size >= KEPT_LIMIT) this.#kept.clear()
    this.#kept.set(key, token)
  }
  forget(key: string): void {
    this.#kept.delete(key)
  }
}
