/** The boot of a machine that is only a record: nobody is told, and nothing is needed. */
import type { BootInterface } from '../../plugin-api/interfaces.ts'

/** @source Ironic drivers/modules/fake.py FakeBoot */
export const fakeBoot: BootInterface = {
  name: 'fake',
  bootsFromNetwork: false,
  validate() {},
  async prepareRamdisk() {},
}
