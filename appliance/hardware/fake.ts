/** fake-hardware: a machine that is only a record, as in Ironic. For trying things out, and for tests of everything above. */
import type { BmcDriver } from './driver.ts'

/** The power state is what the record says; who asks for another one writes it there. @source Ironic drivers/modules/fake.py */
export function createFake(): BmcDriver {
  return {
    name: 'fake-hardware',
    interfaces: { power: 'fake', management: 'fake' },
    properties: {},
    supportedBootDevices: ['pxe'],
    validate() {},
    getPowerState: async (node) => node.power_state ?? 'power off',
    async setPowerState() {},
    getBootDevice: async () => ({ boot_device: 'pxe', persistent: false }),
    async setBootDevice() {},
  }
}
