/** For machines whose boot order cannot be changed from here: they try the network first, then their disk. */
import { InvalidParameterValue } from '../../errors.ts'
import type { BootDevice, ManagementInterface } from '../../plugin-api/interfaces.ts'

const DEVICES: readonly BootDevice[] = ['pxe', 'disk']

/**
 * A machine that is not to boot the ramdisk is sent on to its disk when it asks.
 * @source Ironic drivers/modules/noop_mgmt.py
 */
export const noopManagement: ManagementInterface = {
  name: 'noop',
  supportedBootDevices: DEVICES,
  validate() {},
  getBootDevice: async () => ({ boot_device: 'pxe', persistent: true }),
  async setBootDevice(_task, device) {
    if (DEVICES.includes(device)) return
    throw new InvalidParameterValue(`Invalid boot device ${device} specified, supported are ${DEVICES.join(', ')}.`)
  },
}
