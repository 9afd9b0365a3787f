/** The options of `ramdisk`. */
import type { Options } from '@appliance/core/plugin-api'

export const OPTIONS = {
  // The core's, for the deploy ramdisk: Ironic has one for both. A node's own is read by the plugin, as it may quote it.
  kernel_append_params: {
    section: 'pxe',
    type: 'string',
    default: 'nofb vga=normal',
    help: 'Kernel parameters of the ramdisk.',
  },
} as const satisfies Options

export type RamdiskOptions = typeof OPTIONS
