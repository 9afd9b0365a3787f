/** Machines boot from their own disks. */
import type { StorageInterface } from '../../plugin-api/interfaces.ts'

/** @source Ironic drivers/modules/storage/noop.py */
export const noopStorage: StorageInterface = { name: 'noop', validate() {} }
