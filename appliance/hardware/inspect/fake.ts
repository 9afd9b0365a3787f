/** The inspection of a machine that is only a record: it finds nothing new. */
import type { InspectInterface } from '../../plugin-api/interfaces.ts'

/** @source Ironic drivers/modules/fake.py FakeInspect */
export const fakeInspect: InspectInterface = { name: 'fake', validate() {}, inspectHardware: async () => ({}) }
