/** What this box itself answers to, as its kernel has it at this moment. */
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { isMissing } from './errno.ts'

/**
 * All local and broadcast addresses, also those of interfaces without a carrier, which Node does not tell.
 * @returns in CIDR notation
 */
export function ownNetworks(): string[] {
  try {
    return [...ipv4In(readFileSync('/proc/net/fib_trie', 'latin1')), ...ipv6In(readInet6())]
  } catch {
    // Without /proc, the interfaces that Node knows have to do.
    return Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address))
  }
}

/** A box without IPv6 has no such file. */
function readInet6(): string {
  try {
    return readFileSync('/proc/net/if_inet6', 'latin1')
  } catch (error) {
    if (isMissing(error)) return ''
    throw error
  }
}

/** @source Linux net/ipv4/fib_trie.c, fib_trie_seq_show: a leaf is a line "|-- ADDRESS", and one for each route */
function ipv4In(text: string): string[] {
  const found = new Set<string>()
  let address = ''
  for (const line of text.split('\n')) {
    const [, leaf, prefix] = /^\s+(?:\|-- ([\d.]+)|\/(\d+) (?:host LOCAL|link BROADCAST))/.exec(line) ?? []
    if (leaf !== undefined) address = leaf
    else if (prefix !== undefined) found.add(`${address}/${prefix}`)
  }
  return [...found]
}

/** @source proc_net(5): 32 hex digits first */
const ipv6In = (text: string) =>
  [...text.matchAll(/^[0-9a-f]{32}/gm)].map(([digits]) => digits.match(/.{4}/g)?.join(':') ?? '')
