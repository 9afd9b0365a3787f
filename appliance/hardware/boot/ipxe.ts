/** The machine boots from the network by iPXE. Its script, its port and the ramdisk are the conductor's and pxe's. */
import type { BootInterface } from '../../plugin-api/interfaces.ts'

/** @source Ironic drivers/modules/pxe_base.py prepare_ramdisk */
export const ipxeBoot: BootInterface = {
  name: 'ipxe',
  bootsFromNetwork: true,
  validate() {},
  prepareRamdisk: (task) => task.bootFrom('network', { persistent: false }),
}
