/** The console of a machine that is only a record: it starts, stops, and shows nothing. */
import type { ConsoleInterface } from '../../plugin-api/interfaces.ts'

/** @source Ironic drivers/modules/fake.py FakeConsole */
export const fakeConsole: ConsoleInterface = {
  name: 'fake',
  validate() {},
  async startConsole() {},
  async stopConsole() {},
  getConsole: async () => ({}),
}
