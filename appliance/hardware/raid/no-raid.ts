/** For machines whose RAID is not set up from here. */
import type { RaidInterface } from '../../plugin-api/interfaces.ts'
import { refuse } from '../unsupported.ts'
import { LOGICAL_DISK_PROPERTIES } from './logical-disk.ts'

/** @source Ironic drivers/modules/noop.py NoRAID: it tells the properties all the same */
export const noRaid: RaidInterface = {
  name: 'no-raid',
  validate: (task) => refuse(task, 'raid'),
  logicalDiskProperties: LOGICAL_DISK_PROPERTIES,
}
