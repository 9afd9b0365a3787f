/** The configuration of network boot. */

export type PxeLog = Record<
  'debug' | 'info' | 'warn' | 'error',
  (message: string, fields?: Record<string, unknown>) => void
>

export type PxeConfig = {
  /** none: this box serves neither DHCP nor TFTP. */
  dhcp_provider: 'none' | 'dnsmasq'
  /** Where dnsmasq's files are rendered to. */
  state_path: string
  tftp_root: string
  /** Base of what machines fetch, without a slash at the end. */
  http_url: string
  interface: string
  /** dnsmasq's own words, e.g. 172.22.0.50,172.22.0.200,255.255.255.0,10m; several, IPv6 too. */
  dhcp_ranges: readonly string[]
  /** IPv4 addresses that DHCP gives to machines. Empty: DHCP names none, not even this box. */
  routers: readonly string[]
  dns_servers: readonly string[]
  ntp_servers: readonly string[]
  /** Extra lines for dnsmasq, checked by dnsmasq itself. */
  dnsmasq_options: readonly string[]
  ipxe_bootfile_name: string
  uefi_ipxe_bootfile_name: string
  /** Folder that holds iPXE's boot files (Debian: /usr/lib/ipxe). */
  ipxe_path: string
  /** Holds kernel, core.cpio.zst and layers; see ramdisk/. */
  ramdisk_path: string
}

/** Something that keeps network boot from working, in the operator's words. */
export class PxeError extends Error {
  override get name(): string {
    return this.constructor.name
  }
}
