/** The management of a machine that is only a record. */
import { InvalidParameterValue } from '../../errors.ts'
import type { BootDevice, ManagementInterface } from '../../plugin-api/interfaces.ts'

const DEVICES: readonly BootDevice[] = ['pxe']

/** @source Ironic drivers/modules/fake.py FakeManagement */
export const fakeManagement: ManagementInterface = {
  name: 'fake',
  supportedBootDevices: DEVICES,
  validate() {},
  getBootDevice: async () => ({ boot_device: 'pxe', persistent: false }),
  async setBootDevice(_task, device) {
    if (!DEVICES.includes(device)) throw new InvalidParameterValue(`Invalid boot device ${device} specified.`)
  },
}
