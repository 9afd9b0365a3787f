/** For machines whose RAID is not set up from here. */
import type { RaidInterface } from '../../plugin-api/interfaces.ts'
import { refuse } from '../unsupported.ts'

export const noRaid: RaidInterface = {
  name: 'no-raid',
  validate: (task) => refuse(task, 'raid'),
  logicalDiskProperties: {},
}
