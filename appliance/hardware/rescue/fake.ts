/** The rescue of a machine that is only a record. */
import type { RescueInterface } from '../../plugin-api/interfaces.ts'

/** @source Ironic drivers/modules/fake.py FakeRescue */
export const fakeRescue: RescueInterface = {
  name: 'fake',
  validate() {},
  rescue: async () => ({ done: true }),
  async unrescue() {},
}
