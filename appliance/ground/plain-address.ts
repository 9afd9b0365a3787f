/** One spelling for IP addresses, however a socket, a URL or a file writes them. */
import { isIPv4, isIPv6 } from 'node:net'

/**
 * @param text  192.0.2.1, ::ffff:192.0.2.1, fe80::1%eth0, [2001:DB8::1]
 * @returns 192.0.2.1, or IPv6 as RFC 5952 has it; what is no address stays as it is
 */
export function plainAddress(text: string): string {
  const bare = text.replace(/^\[|\]$/g, '').replace(/%.*$/, '')
  if (isIPv4(bare) || !isIPv6(bare)) return bare
  const canonical = new URL(`http://[${bare}]`).hostname.slice(1, -1)
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical) ?? []
  if (high === undefined || low === undefined) return canonical
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)]
  return [a >> 8, a & 255, b >> 8, b & 255].join('.')
}
