/** IPv4 addresses as numbers, for comparing. Only computes. */
import { isIPv4 } from 'node:net'

/** @returns undefined  no IPv4 address */
export function numberOf(address: string): number | undefined {
  if (!isIPv4(address)) return undefined
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
}

export type Network = { first: number; last: number; text: string }

/** @param prefix  length in bits, 0 to 32 */
export function networkOf(address: number, prefix: number): Network {
  const size = 2 ** (32 - prefix)
  const first = Math.floor(address / size) * size
  return { first, last: first + size - 1, text: `${textOf(first)}/${prefix}` }
}

const textOf = (address: number): string =>
  [24, 16, 8, 0].map((bits) => Math.floor(address / 2 ** bits) % 256).join('.')

/** @returns undefined  no netmask: ones, then zeros */
export function prefixOf(netmask: string): number | undefined {
  const bits = numberOf(netmask)?.toString(2).padStart(32, '0')
  return bits !== undefined && /^1+0*$/.test(bits) ? bits.lastIndexOf('1') + 1 : undefined
}

export const isIn = (address: number, { first, last }: Network): boolean => address >= first && address <= last
