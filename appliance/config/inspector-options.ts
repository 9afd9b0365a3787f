/** Sections [inspector], [auto_discovery] and [inventory] of the configuration file, by Ironic's names. */
import type { Options } from '../plugin-api/index.ts'

export const inspector = {
  hooks: {
    section: 'inspector',
    type: 'list',
    default: ['$default_hooks'],
    help: 'Hooks that go over what an inspection found, in this order, e.g. $default_hooks, memory, root-device.',
  },
  default_hooks: {
    section: 'inspector',
    type: 'list',
    default: ['ramdisk-error', 'validate-interfaces', 'ports', 'architecture'],
    help: 'What $default_hooks stands for.',
  },
  add_ports: {
    section: 'inspector',
    type: 'string',
    default: 'pxe',
    choices: ['all', 'active', 'pxe', 'disabled'],
    help: 'Network cards that become ports: all; active, those with an address; pxe, the one that booted; disabled, none.',
  },
  keep_ports: {
    section: 'inspector',
    type: 'string',
    default: 'all',
    choices: ['all', 'present', 'added'],
    help: 'Ports that stay: all; present, those whose card was found; added, those that add_ports stands for.',
  },
  update_pxe_enabled: {
    section: 'inspector',
    type: 'boolean',
    default: true,
    help: 'Have pxe_enabled of the ports say by which card the machine booted.',
  },
  cpu_capabilities: {
    section: 'inspector',
    type: 'list',
    default: [
      ...['vmx:cpu_vt', 'svm:cpu_vt', 'aes:cpu_aes', 'pse:cpu_hugepages'],
      ...['pdpe1gb:cpu_hugepages_1g', 'smx:cpu_txt'],
    ],
    help: 'Capabilities that cpu-capabilities makes of flags of the CPU, as flag:capability.',
  },
  pci_device_alias: {
    section: 'inspector',
    type: 'list',
    separator: ';',
    default: [],
    help: 'PCI devices that pci-devices counts into capabilities, each as {"vendor_id": "10de", "product_id": "1eb8", "name": "t4"}; separated by semicolons.',
  },
  physical_network_cidr_map: {
    section: 'inspector',
    type: 'list',
    default: [],
    help: 'Physical networks that physical-network gives to ports, by the addresses of their cards: 10.10.10.0/24:physnet_a, 2001:db8::/64:physnet_b.',
  },
  disk_partitioning_spacing: {
    section: 'inspector',
    type: 'boolean',
    default: true,
    help: 'Have root-device leave 1 GiB out of local_gb, for partitions.',
  },
  power_off: {
    section: 'inspector',
    type: 'boolean',
    default: true,
    help: 'Power the machine off after its inspection.',
  },
  extra_kernel_params: {
    section: 'inspector',
    type: 'string',
    default: '',
    help: 'Kernel parameters of the ramdisk in an inspection, beside those of [pxe] kernel_append_params, e.g. ipa-collect-lldp=1 ipa-inspection-collectors=default,pci-devices.',
  },
} as const satisfies Options

export const auto_discovery = {
  enabled: {
    section: 'auto_discovery',
    type: 'boolean',
    default: false,
    help: "Have machines that no port is of boot the agent, and enroll them by its report. Whoever is on the rack's network can then become a node.",
  },
  driver: {
    section: 'auto_discovery',
    type: 'string',
    help: 'Hardware type of the nodes that are enrolled so; needed with enabled.',
  },
  max_nodes: {
    section: 'auto_discovery',
    type: 'integer',
    default: 100,
    min: 1,
    help: 'Enrolled so and still in the state enroll: no more are taken then.',
  },
} as const satisfies Options

export const inventory = {
  data_backend: {
    section: 'inventory',
    type: 'string',
    default: 'database',
    choices: ['none', 'database'],
    help: 'Whether what an inspection found is kept: database, in state_path; none.',
  },
} as const satisfies Options
