/** Sections [inspector] and [inventory] of the configuration file, by Ironic's names. */
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

export const inventory = {
  data_backend: {
    section: 'inventory',
    type: 'string',
    default: 'database',
    choices: ['none', 'database'],
    help: 'Whether what an inspection found is kept: database, in state_path; none.',
  },
} as const satisfies Options
