/** For machines whose BIOS settings cannot be reached. */
import type { BiosInterface } from '../../plugin-api/interfaces.ts'
import { refuse } from '../unsupported.ts'

export const noBios: BiosInterface = {
  name: 'no-bios',
  validate: (task) => refuse(task, 'bios'),
}
