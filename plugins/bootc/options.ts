/** The options of `bootc`; a node's own fields have the section in front of the name. */
import type { Options, Task } from '@appliance/core/plugin-api'

const perNode = ['driver_info', 'instance_info'] as const

export const OPTIONS = {
  install: {
    section: 'bootc',
    type: 'string',
    default: 'auto',
    choices: ['auto', 'machine', 'appliance'],
    perNode,
    perNodeName: 'bootc_install',
    help: 'Where the container is installed: on the machine; by the appliance, once for all machines that are then written like disk images; or auto: by the appliance where it has KVM and the disk is large enough, else on the machine.',
  },
  day2: {
    section: 'bootc',
    type: 'boolean',
    default: true,
    perNode,
    perNodeName: 'bootc_day2',
    help: 'The installed host gets its upgrades through the mirror: registries.conf.d, the CA, and the pull secret of its image when the node has one.',
  },
  guest_memory: {
    section: 'bootc',
    type: 'integer',
    default: 2048,
    min: 768,
    unit: 'MiB',
    help: 'Memory of the virtual machine in which the appliance installs a container.',
  },
  install_timeout: {
    section: 'bootc',
    type: 'integer',
    default: 7200,
    min: 60,
    max: 86_400,
    unit: 's',
    help: 'Longest that a pull and install of a container may take, on the machine or on the appliance.',
  },
} as const satisfies Options

export type BootcOptions = typeof OPTIONS
export type BootcTask = Task<BootcOptions>
