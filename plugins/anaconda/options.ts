/** The options of `anaconda`. @source Ironic conf/anaconda.py */
import type { Options, Task } from '@appliance/core/plugin-api'

export const OPTIONS = {
  default_ks_template: {
    section: 'anaconda',
    type: 'string',
    format: 'path',
    help: 'Kickstart template on this box, in Jinja2, for nodes without instance_info/ks_template. Left out: the one that comes with the plugin.',
  },
  insecure_heartbeat: {
    section: 'anaconda',
    type: 'boolean',
    default: false,
    help: 'Kickstart templates are told that installers may report without a look at the TLS certificate of this API.',
  },
  container_command: {
    section: 'anaconda',
    type: 'string',
    default: 'ostreecontainer',
    choices: ['ostreecontainer', 'bootc'],
    perNode: ['instance_info'],
    perNodeName: 'ks_container_command',
    help: 'The command of kickstart by which the own template installs a container: ostreecontainer (RHEL 9 and later, Fedora 38 and later) or bootc (Fedora 43 and later).',
  },
  // The core's, for the deploy ramdisk: Ironic has one for both. A node's own may quote it.
  kernel_append_params: {
    section: 'pxe',
    type: 'string',
    default: 'nofb vga=normal',
    help: 'Kernel parameters of the installer.',
  },
} as const satisfies Options

export type AnacondaOptions = typeof OPTIONS
export type AnacondaTask = Task<AnacondaOptions>
