/** What dnsmasq says, understood: leases for the log, and the reason when it ends. Only text. */

/** One line of its log. */
export type DnsmasqLine = {
  /** Without dnsmasq's name and process id. */
  text: string
  lease?: { mac: string; ip: string }
  /** It has its sockets and answers. */
  started?: true
}

/** `dnsmasq-dhcp[311]: 2718281828 DHCPACK(eth1) 192.168.50.101 52:54:00:12:34:56 name` */
const LINE = /^dnsmasq(?:-[a-z]+)?(?:\[\d+\])?: (.*)$/
const ACK = /^(?:\d+ )?DHCPACK\([^)]*\) ([0-9.]+) ((?:[0-9a-f]{2}:){5}[0-9a-f]{2})(?: |$)/
const LENGTH_LIMIT = 500

/** @returns undefined  an empty line */
export function readDnsmasqLine(line: string): DnsmasqLine | undefined {
  const text = (LINE.exec(line)?.[1] ?? line).slice(0, LENGTH_LIMIT).trim()
  if (text === '') return undefined
  const [, ip, mac] = ACK.exec(text) ?? []
  if (ip !== undefined && mac !== undefined) return { text, lease: { mac, ip } }
  return text.startsWith('started, version') ? { text, started: true } : { text }
}

type Reason = readonly [RegExp, (match: RegExpExecArray, network: string) => string]

/** What an operator can do about what dnsmasq says last. */
const REASONS: readonly Reason[] = [
  [
    /^unknown interface (\S+)/,
    ([, name]) =>
      `this box has no network interface "${name}". Correct [dhcp] interface, or bring it up: "ip link" shows them.`,
  ],
  [
    /^failed to bind DHCP server socket: Address already in use/,
    () =>
      'another DHCP server of this box holds UDP port 67. End it ("ss -lunp" shows it), or set [dhcp] dhcp_provider = none.',
  ],
  [
    /^failed to create listening socket for (\S+): Address already in use/,
    ([, address]) => `another TFTP server of this box holds UDP port 69 at ${address}. End it: "ss -lunp" shows it.`,
  ],
  [
    /^failed to (?:bind DHCP server socket|create listening socket[^:]*): Permission denied|missing required capability (\S+)|needs? NET_ADMIN|^setting capabilities failed/,
    () =>
      'it may not open privileged ports. Run the appliance as root, or with CAP_NET_BIND_SERVICE, CAP_NET_ADMIN and CAP_NET_RAW.',
  ],
  [
    /^TFTP directory (\S+) inaccessible: (.*)/,
    ([, folder, why]) => `it cannot read ${folder}: ${why}. Make [pxe] tftp_root readable for everyone.`,
  ],
  [
    /^cannot open or create lease file (\S+): (.*)/,
    ([, file, why]) => `it cannot write ${file}: ${why}. Correct the owner of [DEFAULT] state_path.`,
  ],
]

/**
 * Why it ended, as the second half of a sentence.
 * @param last  what it said last, the newest at the end
 * @param how  e.g. "status 2", for when it said nothing
 */
export function explainEnd(last: readonly string[], how: string): string {
  for (const text of last.toReversed()) {
    for (const [sign, explain] of REASONS) {
      const match = sign.exec(text)
      if (match) return explain(match, text)
    }
  }
  const words = last.findLast((text) => text !== 'FAILED to start up')
  return words === undefined
    ? `it ended with ${how} and said no reason.`
    : `it ended with ${how}; its last words: ${words}`
}

/** Of `dnsmasq --test`. @param config  the text that it read */
export function explainRefusal(stderr: string, config: string): string {
  const words = stderr.trim().replace(/^dnsmasq: /, '') || 'no reason given'
  const [, reason = words, number] = /^(.*?) at line (\d+) of /s.exec(words) ?? []
  const line = number === undefined ? undefined : config.split('\n')[Number(number) - 1]
  return line === undefined ? `${words}.` : `${reason} in "${line}".`
}
