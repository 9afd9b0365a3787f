/** Network boot: DHCP and TFTP by dnsmasq, iPXE scripts, the deploy ramdisk. Knows nothing of the appliance: it is given a config and a logger. */

export type PxeLog = Record<
  'debug' | 'info' | 'warn' | 'error',
  (message: string, fields?: Record<string, unknown>) => void
>

/** What a machine gets when its iPXE asks. */
export type MachineBoot =
  /** The deploy ramdisk: kernel, core and layers; parameters are escaped when the script is rendered. */
  | {
      kind: 'agent'
      node: string
      name: string
      parameters: readonly (readonly [string, string])[]
      layers: readonly string[]
    }
  /** Its own disk: nothing is to be deployed. `why` is shown on its screen. */
  | { kind: 'disk'; node: string; name: string; why: string }
  /** A MAC that no port has. */
  | { kind: 'unknown'; mac: string }

export type PxeConfig = {
  /** none: no DHCP and TFTP of ours. */
  dhcp_provider: 'none' | 'dnsmasq'
  /** Where dnsmasq's files are rendered to. */
  state_path: string
  tftp_root: string
  /** Base of what machines fetch, without a slash at the end. */
  http_url: string
  interface: string
  /** dnsmasq's own words, e.g. 172.22.0.50,172.22.0.200,255.255.255.0,10m; several, IPv6 too. */
  dhcp_ranges: readonly string[]
  /** Extra lines for dnsmasq, checked by dnsmasq itself. */
  dnsmasq_options: readonly string[]
  ipxe_bootfile_name: string
  uefi_ipxe_bootfile_name: string
  /** Folders that hold iPXE's boot files (Debian: /usr/lib/ipxe). */
  ipxe_path: string
  /** Holds kernel, core.cpio.zst and layers; see ramdisk/. */
  ramdisk_path: string
}
