/** dnsmasq's configuration: DHCP and TFTP for bare machines, no DNS. Only text; dnsmasq itself is the judge of it. */
import { isIPv4 } from 'node:net'
import { join } from 'node:path'
import { type PxeConfig, PxeError } from '../config.ts'

export type DnsmasqPaths = {
  /** Folder of everything that dnsmasq reads and writes, but TFTP's files. */
  folder: string
  config: string
  leases: string
}

export function dnsmasqPaths(state_path: string): DnsmasqPaths {
  const folder = join(state_path, 'dnsmasq')
  return { folder, config: join(folder, 'dnsmasq.conf'), leases: join(folder, 'leases') }
}

/** @param keepsRoot  dnsmasq could not read its boot files after it gave up root. @throws PxeError */
export function renderDnsmasqConfig(config: PxeConfig, keepsRoot: boolean): string {
  if (config.interface === '') {
    throw new PxeError("[dhcp] interface is not set: name the network interface on the rack's side.")
  }
  if (config.dhcp_ranges.length === 0) {
    throw new PxeError(
      '[dhcp] dhcp_range is empty: give addresses, e.g. 192.168.50.100,192.168.50.200,255.255.255.0,1h.',
    )
  }
  const given = Object.values(config).flat()
  const broken = given.find((value) => /[\r\n\0]/.test(value))
  if (broken !== undefined) throw new PxeError(`A value for dnsmasq holds a line break: ${JSON.stringify(broken)}.`)
  return `${[
    '# Rendered by Rackstrap at each start; changes here are lost. Its [dhcp] and [pxe] options say what is in it.',
    ...hostLines(config, keepsRoot),
    ...rangeLines(config.dhcp_ranges),
    ...networkLines(config),
    ...bootLines(config),
    ...config.dnsmasq_options,
  ].join('\n')}\n`
}

function hostLines(config: PxeConfig, keepsRoot: boolean): string[] {
  return [
    'port=0',
    `interface=${config.interface}`,
    'except-interface=lo',
    'bind-interfaces',
    'no-resolv',
    'no-hosts',
    'pid-file=',
    ...(keepsRoot ? ['user=root'] : []),
    `dhcp-leasefile=${dnsmasqPaths(config.state_path).leases}`,
    'log-dhcp',
    'log-facility=-',
    'enable-tftp',
    `tftp-root=${config.tftp_root}`,
  ]
}

/** A range with the word `proxy` answers beside the site's own DHCP server, which gives the addresses. */
export const isProxy = (range: string) => range.split(',').includes('proxy')
export const isIpv6 = (range: string) => range.includes(':') && !/^(?:tag|set):/.test(range)

function rangeLines(ranges: readonly string[]): string[] {
  const usesProxy = ranges.some(isProxy)
  return [
    ...ranges.map((range) => `dhcp-range=${range}`),
    // Without one, iPXE waits 13 s and more for a router advertisement wherever a link has IPv6.
    ...(ranges.some(isIpv6) ? ['enable-ra'] : []),
    // iPXE option 176 (no-pxedhcp), https://ipxe.org/howto/dhcpd: it would wait 3 s for a ProxyDHCP server that is
    // not there.
    ...(usesProxy ? [] : ['dhcp-authoritative', 'dhcp-option=encap:175,176,1b']),
  ]
}

/**
 * RFC 2132 options 3, 6 and 42. Without value an option is not sent: dnsmasq would else tell machines that this box
 * is their router. Lines of [dhcp] dnsmasq_options come later, and win.
 */
function networkLines({ routers, dns_servers, ntp_servers }: PxeConfig): string[] {
  return [
    `dhcp-option=${['3', ...addressesIn('router', routers)].join(',')}`,
    ...(dns_servers.length > 0 ? [`dhcp-option=${['6', ...addressesIn('dns_servers', dns_servers)].join(',')}`] : []),
    ...(ntp_servers.length > 0 ? [`dhcp-option=${['42', ...addressesIn('ntp_servers', ntp_servers)].join(',')}`] : []),
  ]
}

/** @throws PxeError */
function addressesIn(option: string, addresses: readonly string[]): readonly string[] {
  const wrong = addresses.find((address) => !isIPv4(address))
  if (wrong === undefined) return addresses
  throw new PxeError(
    `[dhcp] ${option} has ${JSON.stringify(wrong)}: expected IPv4 addresses with commas between them, e.g. 192.168.50.254.`,
  )
}

/**
 * RFC 4578 and IANA "Processor Architecture Types": option 93 is 0 for BIOS, 7 and 9 for UEFI x86-64 (firmware
 * differs), 16 for UEFI x86-64 over HTTP. iPXE tells itself by its option 175, and gets the first script, whatever
 * firmware it came from.
 */
function bootLines({ http_url, ipxe_bootfile_name, uefi_ipxe_bootfile_name, dhcp_ranges }: PxeConfig): string[] {
  return [
    'dhcp-match=set:ipxe,175',
    'dhcp-match=set:bios,option:client-arch,0',
    'dhcp-match=set:efi,option:client-arch,7',
    'dhcp-match=set:efi,option:client-arch,9',
    'dhcp-match=set:efi-http,option:client-arch,16',
    `dhcp-boot=tag:ipxe,${http_url}/boot.ipxe`,
    `dhcp-boot=tag:!ipxe,tag:bios,${ipxe_bootfile_name}`,
    `dhcp-boot=tag:!ipxe,tag:efi,${uefi_ipxe_bootfile_name}`,
    `dhcp-boot=tag:!ipxe,tag:efi-http,${http_url}/boot/files/${uefi_ipxe_bootfile_name}`,
    // UEFI 2.10 section 24.7.3.1: the firmware takes a URL only from a server that says HTTPClient.
    'dhcp-option-force=tag:!ipxe,tag:efi-http,60,HTTPClient',
    ...(dhcp_ranges.some(isProxy) ? proxyLines({ http_url, ipxe_bootfile_name, uefi_ipxe_bootfile_name }) : []),
  ]
}

/** Beside another DHCP server firmware takes its file from a boot service only (PXE 2.1 section 2.2.3). */
function proxyLines(boot: Pick<PxeConfig, 'http_url' | 'ipxe_bootfile_name' | 'uefi_ipxe_bootfile_name'>): string[] {
  const service = (tag: string, kind: string, file: string) => `pxe-service=tag:${tag},${kind},"Rackstrap",${file}`
  // dnsmasq(8) --pxe-service: BC_EFI is 7, X86-64_EFI is 9.
  return [
    service('!ipxe', 'x86PC', boot.ipxe_bootfile_name),
    ...['BC_EFI', 'X86-64_EFI'].map((kind) => service('!ipxe', kind, boot.uefi_ipxe_bootfile_name)),
    ...['x86PC', 'BC_EFI', 'X86-64_EFI'].map((kind) => service('ipxe', kind, `${boot.http_url}/boot.ipxe`)),
  ]
}
