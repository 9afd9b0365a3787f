/** The storage of a machine that is only a record. */
import type { StorageInterface } from '../../plugin-api/interfaces.ts'

/** @source Ironic drivers/modules/fake.py FakeStorage */
export const fakeStorage: StorageInterface = { name: 'fake', validate() {} }
