/** The configuration that the rack's appliance runs with. Only text: the appliance checks it. */
import { join } from 'node:path'
import { ADDRESS, BRIDGE } from './steel/network.ts'
import { UPSTREAM_URL } from './upstream-registry.ts'

/** Options by section, as in its file; null leaves an option out. */
export type ConfigChange = Record<string, Record<string, string | null>>
type Place = { folder: string; ramdisk: string; images: readonly string[] }

export function configFor({ folder, ramdisk, images }: Place): ConfigChange {
  return {
    // Servers of images, BMCs and the upstream registry are on the appliance's own box here.
    DEFAULT: { state_path: join(folder, 'state'), my_ip: ADDRESS, reachable_networks: `127.0.0.0/8, ${ADDRESS}` },
    // In a network namespace of its own.
    api: { host_ip: ADDRESS, allow_open: 'True' },
    deploy: { http_url: `http://${ADDRESS}:8080` },
    // A cleaning boots each machine once more: tests of that say so.
    conductor: { file_url_allowed_paths: images.join(','), automated_clean: 'False' },
    dhcp: {
      dhcp_provider: 'dnsmasq',
      interface: BRIDGE,
      // iPXE of Debian waits 13 s for a router advertisement; dnsmasq would ping an address for 3 s before it gives it.
      dhcp_range: '172.22.0.50,172.22.0.250,255.255.255.0,10m; fd66::,ra-only',
      dnsmasq_options: 'no-ping',
    },
    pxe: { ramdisk_path: ramdisk },
  }
}

/**
 * With a registry mirror in it, whose upstream for `host` is the rack's own.
 * @param sync  what `rackstrap registry sync` fetches ahead of need: REPOSITORY:TAG
 */
export function containerConfig(host: string, sync?: string): ConfigChange {
  return {
    registry: { enabled: 'True', host_ip: ADDRESS, sync_interval: '0' },
    [`upstream:${host}`]: { url: UPSTREAM_URL, insecure: 'True', tag_ttl: '1', ...(sync ? { sync } : {}) },
  }
}

/** Option by option. */
export function mergeConfig(base: ConfigChange, change: ConfigChange = {}): ConfigChange {
  const sections = [...new Set([...Object.keys(base), ...Object.keys(change)])]
  return Object.fromEntries(sections.map((section) => [section, { ...base[section], ...change[section] }]))
}

export function renderIni(base: ConfigChange, change: ConfigChange = {}): string {
  return Object.entries(mergeConfig(base, change))
    .map(([section, options]) => {
      const lines = Object.entries(options).flatMap(([name, value]) => (value === null ? [] : `${name} = ${value}`))
      return [`[${section}]`, ...lines, ''].join('\n')
    })
    .join('\n')
}
