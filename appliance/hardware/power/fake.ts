/** A machine that is only a record. For trying things out, and for tests of everything above. */
import type { PowerInterface } from '../../plugin-api/interfaces.ts'

/**
 * The power state is what the record says; who asks for another one writes it there.
 * @source Ironic drivers/modules/fake.py FakePower
 */
export const fakePower: PowerInterface = {
  name: 'fake',
  validate() {},
  getPowerState: async ({ node }) => node.power_state ?? 'power off',
  async setPowerState() {},
}
