/**
 * Every option of the appliance. One table for each section gives parser, defaults, sample file, docs and types;
 * names and defaults are Ironic's where it has the option.
 */

import type { Options, Values } from '../plugin-api/index.ts'
import { api, ssl } from './api-options.ts'
import { conductor } from './conductor-options.ts'
import { console } from './console-options.ts'
import { deploy } from './deploy-options.ts'
import { disk } from './disk-options.ts'
import { inspection_rules } from './inspection-rules-options.ts'
import { auto_discovery, inspector, inventory } from './inspector-options.ts'
import { interfaces } from './interface-options.ts'
import { ipmi } from './ipmi-options.ts'
import { oci } from './oci-options.ts'
import { redfish } from './redfish-options.ts'
import { sensor_data } from './sensor-options.ts'

const DEFAULT = {
  state_path: {
    section: 'DEFAULT',
    type: 'string',
    format: 'path',
    default: '/var/lib/rackstrap',
    help: 'Records and everything that must survive a restart.',
  },
  host: {
    section: 'DEFAULT',
    type: 'string',
    default: '',
    help: "Name of this conductor; the machine's host name when not set.",
  },
  my_ip: {
    section: 'DEFAULT',
    type: 'string',
    default: '',
    help: "Address of this box on the rack's network; that of [dhcp] interface, else of the default route, when not set.",
  },
  debug: { section: 'DEFAULT', type: 'boolean', default: false, help: 'Log at debug level, and have the agent do so.' },
  ...disk,
  auth_strategy: {
    section: 'DEFAULT',
    type: 'string',
    default: 'noauth',
    choices: ['noauth', 'http_basic'],
    help: 'How the API tells who calls: noauth asks nobody, and is for loopback and the unix socket; http_basic wants a name and a password. One box has no keystone.',
  },
  http_basic_auth_user_file: {
    section: 'DEFAULT',
    type: 'string',
    holds: 'secret',
    format: 'path',
    default: '$state_path/htpasswd',
    help: 'Users of http_basic, as htpasswd -B makes them and rackstrap user add; read anew when it changes. Not there at the start: it is made, with one administrator.',
  },
  enabled_hardware_types: {
    section: 'DEFAULT',
    type: 'list',
    default: ['ipmi', 'fake-hardware'],
    help: 'Hardware types that nodes may name as driver.',
  },
  enabled_deploy_interfaces: {
    section: 'DEFAULT',
    type: 'list',
    default: [],
    help: 'Deploy plugins to load; the first is the default. Empty: those that come with the appliance and that Ironic enables, too.',
  },
  default_deploy_interface: { section: 'DEFAULT', type: 'string', help: 'Deploy interface of nodes that name none.' },
  ...interfaces,
  plugin_path: {
    section: 'DEFAULT',
    type: 'list',
    format: 'path',
    default: [],
    help: 'Further folders in which deploy plugins are looked for.',
  },
  plugin_packages: {
    section: 'DEFAULT',
    type: 'list',
    default: [],
    help: 'npm packages that are plugins, in the node_modules of state_path: npm install --prefix STATE_PATH NAME.',
  },
  default_portgroup_mode: {
    section: 'DEFAULT',
    type: 'string',
    default: 'active-backup',
    help: 'Mode of a bond that is created without one.',
  },
  force_raw_images: { section: 'DEFAULT', type: 'boolean', default: true, help: 'Convert images to raw in the cache.' },
  raw_image_growth_factor: {
    section: 'DEFAULT',
    type: 'integer',
    default: 2,
    min: 1,
    help: "Room reserved for a conversion, as a multiple of the image's size, when its virtual size is not known.",
  },
  image_download_concurrency: {
    section: 'DEFAULT',
    type: 'integer',
    default: 20,
    min: 1,
    help: 'Image downloads and conversions at once.',
  },
  webserver_verify_ca: {
    section: 'DEFAULT',
    type: 'string',
    format: 'path or boolean',
    default: 'True',
    help: 'True, False, or a file or folder of CA certificates, for image servers over https.',
  },
  webserver_connection_timeout: {
    section: 'DEFAULT',
    type: 'integer',
    default: 60,
    min: 1,
    unit: 's',
    help: 'How long an image server may be silent.',
  },
  reachable_networks: {
    section: 'DEFAULT',
    type: 'list',
    format: 'network',
    default: [],
    help: 'Networks, such as 192.168.50.0/24, or addresses that this box connects to although it does not by itself: loopback and link-local addresses, its own, and for images those of BMCs. For image_source, checksums, config drives, registries, agents, and BMCs.',
  },
  bmc_networks: {
    section: 'DEFAULT',
    type: 'list',
    format: 'network',
    default: [],
    help: 'Networks that only BMCs are in: no image, checksum, config drive or container image is fetched from there. The addresses of BMCs that nodes name count anyway.',
  },
} as const satisfies Options

const agent = {
  image_download_source: {
    section: 'agent',
    type: 'string',
    default: 'http',
    choices: ['http', 'local', 'swift'],
    perNode: ['driver_info', 'instance_info'],
    help:
      'Where machines fetch http(s) images from. http and swift: from the server that image_source names, which they must be able to reach; an image that is ' +
      'not raw is fetched, converted and served by this appliance all the same. local: always from this appliance, which fetches each image once and keeps it.',
  },
  stream_raw_images: {
    section: 'agent',
    type: 'boolean',
    default: true,
    help: 'Have the agent write raw images to the disk as they come.',
  },
  require_tls: { section: 'agent', type: 'boolean', default: true, help: 'Refuse agents that do not serve https.' },
  verify_ca: {
    section: 'agent',
    type: 'string',
    format: 'path or boolean',
    default: 'True',
    help: 'CA for agents that bring no certificate of their own: True, False, or a file.',
  },
  allow_md5_checksum: { section: 'agent', type: 'boolean', default: true, help: 'Accept md5 image checksums.' },
  command_timeout: {
    section: 'agent',
    type: 'integer',
    default: 60,
    min: 1,
    unit: 's',
    help: 'Longest wait for one answer of an agent.',
  },
  max_command_attempts: { section: 'agent', type: 'integer', default: 3, min: 1, help: 'Tries of one command.' },
  post_deploy_get_power_state_retries: {
    section: 'agent',
    type: 'integer',
    default: 6,
    min: 1,
    help: 'How often the power state is asked for after the agent was told to power off.',
  },
  post_deploy_get_power_state_retry_interval: {
    section: 'agent',
    type: 'integer',
    default: 5,
    min: 0,
    unit: 's',
    help: 'Pause between two of them.',
  },
} as const satisfies Options

const dhcp = {
  dhcp_provider: {
    section: 'dhcp',
    type: 'string',
    default: 'none',
    choices: ['none', 'dnsmasq'],
    help: 'none: somebody else gives addresses; dnsmasq: this box does.',
  },
  interface: { section: 'dhcp', type: 'string', help: "Network interface on the rack's side; needed with dnsmasq." },
  dhcp_range: {
    section: 'dhcp',
    type: 'list',
    default: [],
    separator: ';',
    help: "Address ranges in dnsmasq's words, separated by semicolons because they hold commas.",
  },
  router: {
    section: 'dhcp',
    type: 'list',
    format: 'IPv4 address',
    default: [],
    help: "IPv4 address of the machines' way out of the rack's network. Not set: they are told none; this box forwards nothing.",
  },
  dns_servers: {
    section: 'dhcp',
    type: 'list',
    format: 'IPv4 address',
    default: [],
    help: 'IPv4 addresses of the name servers that machines are told. Not set: they are told none; this box is none.',
  },
  ntp_servers: {
    section: 'dhcp',
    type: 'list',
    format: 'IPv4 address',
    default: [],
    help: 'IPv4 addresses of the time servers that machines are told. Not set: they are told none; this box is none.',
  },
  dnsmasq_options: {
    section: 'dhcp',
    type: 'list',
    default: [],
    separator: ';',
    help: 'Further lines for dnsmasq, separated by semicolons.',
  },
} as const satisfies Options

const pxe = {
  tftp_root: {
    section: 'pxe',
    type: 'string',
    format: 'path',
    default: '$state_path/tftpboot',
    help: 'Folder of TFTP.',
  },
  ipxe_path: {
    section: 'pxe',
    type: 'string',
    format: 'path',
    default: '/usr/lib/ipxe',
    help: "Folder that holds iPXE's boot files.",
  },
  ipxe_bootfile_name: { section: 'pxe', type: 'string', default: 'undionly.kpxe', help: 'iPXE for BIOS machines.' },
  uefi_ipxe_bootfile_name: {
    section: 'pxe',
    type: 'string',
    default: 'snponly.efi',
    help: 'iPXE for UEFI machines. Debian has it as ipxe.efi and snponly.efi.',
  },
  kernel_append_params: {
    section: 'pxe',
    type: 'string',
    default: 'nofb vga=normal',
    help: 'Kernel parameters of the ramdisk.',
    perNode: ['driver_info', 'instance_info'],
  },
  ramdisk_path: {
    section: 'pxe',
    type: 'string',
    format: 'path',
    default: '$state_path/ramdisk',
    help: 'Folder of the deploy ramdisk: kernel, core and layers.',
  },
  ramdisk_layer_path: {
    section: 'pxe',
    type: 'list',
    format: 'path',
    default: [],
    help: 'Folders of ramdisk layers of your own, each a layer or a folder of layers: rackstrap ramdisk build makes them, too.',
  },
  ramdisk_layers: {
    section: 'pxe',
    type: 'list',
    default: [],
    help: 'Ramdisk layers that machines boot the agent with, beside those of their deploy interface.',
    perNode: ['driver_info'],
  },
  instance_master_path: {
    section: 'pxe',
    type: 'string',
    format: 'path',
    default: '$state_path/master_images',
    help: 'Folder of the image cache.',
  },
  image_cache_size: {
    section: 'pxe',
    type: 'integer',
    default: 20480,
    min: 0,
    unit: 'MiB',
    help: 'Most that the image cache keeps.',
  },
  image_cache_ttl: {
    section: 'pxe',
    type: 'integer',
    default: 10080,
    min: 0,
    unit: 'min',
    help: 'Longest that an unused image is kept.',
  },
  boot_retry_timeout: {
    section: 'pxe',
    type: 'integer',
    min: 1,
    unit: 's',
    help: 'Reboot a machine whose ramdisk has not called within this time.',
  },
} as const satisfies Options

/** The other options of this section are the registry mirror's own. */
const registry = {
  enabled: {
    section: 'registry',
    type: 'boolean',
    default: false,
    help: 'Run the registry mirror inside the appliance.',
  },
  tls: {
    section: 'registry',
    type: 'string',
    default: 'auto',
    choices: ['auto', 'own', 'off'],
    help: "auto: by cert_file when it is given, plain http when host_ip is a loopback address, else by a certificate of the appliance's own CA. own: always by that. off: plain http.",
  },
  tls_names: {
    section: 'registry',
    type: 'list',
    default: [],
    help: "Further host names and addresses in the certificate of the appliance's own CA, beside [DEFAULT] host, my_ip and host_ip.",
  },
  ca_file: {
    section: 'registry',
    type: 'string',
    format: 'path',
    help: 'CA (PEM) that clients need to trust cert_file; told to machines with what they pull, as is the name in it when it is not for the address. Not set: they trust it anyway.',
  },
} as const satisfies Options

export const SECTIONS = {
  DEFAULT,
  api,
  ssl,
  conductor,
  inspector,
  auto_discovery,
  inventory,
  agent,
  deploy,
  dhcp,
  pxe,
  oci,
  console,
  ipmi,
  redfish,
  sensor_data,
  registry,
  inspection_rules,
} as const

/** The configuration, checked and complete: config.api.port, config.DEFAULT.state_path, ... */
export type Config = { readonly [S in keyof typeof SECTIONS]: Values<(typeof SECTIONS)[S]> }
