/** Sections [api] and [ssl] of the configuration file, by Ironic's names. */
import type { Options } from '../plugin-api/index.ts'

export const api = {
  host_ip: {
    section: 'api',
    type: 'string',
    default: '127.0.0.1',
    help: 'Address the API listens on, beside the unix socket api.sock in state_path. Another than loopback needs auth_strategy = http_basic.',
  },
  port: {
    section: 'api',
    type: 'integer',
    default: 6385,
    min: 0,
    max: 65535,
    help: 'Port of the API; 0 takes any free one and tells it in the log.',
  },
  allow_open: {
    section: 'api',
    type: 'boolean',
    default: false,
    help: 'Let auth_strategy = noauth listen on another address than loopback: whoever reaches it may do all.',
  },
  allowed_hosts: {
    section: 'api',
    type: 'list',
    default: [],
    help: 'Further names and addresses by which clients call the API, such as those of a proxy. A request that names a host other than this box is refused.',
  },
  roles: {
    section: 'api',
    type: 'list',
    default: [],
    help: 'NAME:ROLE of users, ROLE being admin, operator (all about nodes) or observer (reads). They go before those that rackstrap user add wrote; a user without any is admin, as in Ironic.',
  },
  enable_ssl_api: {
    section: 'api',
    type: 'boolean',
    default: false,
    help: "Answer in https: with [api] cert_file, else [ssl] cert_file, else a certificate of the box's own CA (rackstrap ca show).",
  },
  cert_file: {
    section: 'api',
    type: 'string',
    format: 'path',
    help: 'Certificate (PEM, with those that vouch for it) of the API; read anew when it changes.',
  },
  key_file: { section: 'api', type: 'string', holds: 'secret', format: 'path', help: 'Its key.' },
  ramdisk_host_ip: {
    section: 'api',
    type: 'string',
    help: 'Address on which machines reach lookup, heartbeat, boot scripts and images, at the port of [deploy] http_url; the address of http_url, else my_ip, when not set.',
  },
  public_endpoint: {
    section: 'api',
    type: 'string',
    format: 'url',
    help: 'Base of the links in answers; the Host header when not set.',
  },
  max_limit: { section: 'api', type: 'integer', default: 1000, min: 1, help: 'Most records in one answer.' },
  max_json_body_size: {
    section: 'api',
    type: 'integer',
    default: 1024,
    min: 1,
    unit: 'KiB',
    help: 'Largest request body.',
  },
  max_json_body_size_provision: {
    section: 'api',
    type: 'integer',
    default: 65536,
    min: 1,
    unit: 'KiB',
    help: 'Largest body of a provision request, which may carry a config drive.',
  },
  max_json_body_size_inspection: {
    section: 'api',
    type: 'integer',
    default: 16384,
    min: 4,
    unit: 'KiB',
    help: 'Largest report of an inspection, which may carry the logs of the ramdisk.',
  },
  max_connections: {
    section: 'api',
    type: 'integer',
    default: 1000,
    min: 0,
    help: "Connections at one time to the API, and as many to the rack's side; 0: no limit.",
  },
  max_connections_per_host: {
    section: 'api',
    type: 'integer',
    default: 200,
    min: 0,
    help: 'Of these, from one IPv4 address or one IPv6 network of 64 bits; 0: no limit. A proxy, or NAT, in front of many clients needs more.',
  },
  ramdisk_heartbeat_timeout: {
    section: 'api',
    type: 'integer',
    default: 300,
    min: 1,
    unit: 's',
    help: 'Longest pause between two heartbeats of an agent.',
  },
  restrict_lookup: {
    section: 'api',
    type: 'boolean',
    default: true,
    help: 'Answer lookups only for nodes that wait for an agent.',
  },
  check_boot_number: {
    section: 'api',
    type: 'boolean',
    default: true,
    help: 'Answer a lookup only to who brings the one-time number of the boot, which is in the ipa-api-url that this box gives. False: for images with an ipa-api-url of their own, known by their address alone.',
  },
  check_machine_address: {
    section: 'api',
    type: 'boolean',
    default: true,
    help: 'Boot scripts, files, lookup and heartbeat count only from the address that our DHCP gave to the machine, or that fetched its boot script first. False: behind a proxy, or where addresses change during a boot.',
  },
  enable_ramdisk_endpoints: {
    section: 'api',
    type: 'boolean',
    default: true,
    help: "Serve lookup and heartbeat at [api] host_ip, too, to whoever asks. The rack's side always serves them.",
  },
} as const satisfies Options

export const ssl = {
  cert_file: { section: 'ssl', type: 'string', format: 'path', help: 'As [api] cert_file, which goes before it.' },
  key_file: {
    section: 'ssl',
    type: 'string',
    holds: 'secret',
    format: 'path',
    help: 'As [api] key_file, which goes before it.',
  },
  ca_file: {
    section: 'ssl',
    type: 'string',
    format: 'path',
    help: 'Only clients with a certificate of this CA may connect to the API, when its certificate is [ssl] cert_file.',
  },
} as const satisfies Options
