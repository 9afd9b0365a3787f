/** The options of `ramdisk`. */
import type { Options } from '@appliance/core/plugin-api'

export const OPTIONS = {
  // As the core has it for the deploy ramdisk: Ironic has one for both. A node's own may quote it, so it is read apart.
  kernel_append_params: {
    section: 'pxe',
    type: 'string',
    default: 'nofb vga=normal',
    help: 'Kernel parameters of the ramdisk.',
  },
} as const satisfies Options

export type RamdiskOptions = typeof OPTIONS
