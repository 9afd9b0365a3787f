/** A configuration of network boot for tests; each says what it changes. */
import { join } from 'node:path'
import type { PxeConfig } from '../../pxe/index.ts'

export function exampleConfig(folder: string, change: Partial<PxeConfig> = {}): PxeConfig {
  return {
    dhcp_provider: 'dnsmasq',
    state_path: folder,
    tftp_root: join(folder, 'tftpboot'),
    http_url: 'http://192.168.50.1:8080',
    interface: 'rack0',
    dhcp_ranges: ['192.168.50.100,192.168.50.200,255.255.255.0,1h'],
    routers: [],
    dns_servers: [],
    ntp_servers: [],
    dnsmasq_options: [],
    ipxe_bootfile_name: 'undionly.kpxe',
    uefi_ipxe_bootfile_name: 'snponly.efi',
    ipxe_path: join(folder, 'ipxe'),
    ramdisk_path: join(folder, 'ramdisk'),
    ...change,
  }
}
