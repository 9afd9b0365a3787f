/** For machines whose firmware cannot be updated from here. */
import type { FirmwareInterface } from '../../plugin-api/interfaces.ts'
import { refuse } from '../unsupported.ts'

export const noFirmware: FirmwareInterface = {
  name: 'no-firmware',
  validate: (task) => refuse(task, 'firmware'),
}
