/** For machines that are not rescued. */
import type { RescueInterface } from '../../plugin-api/interfaces.ts'
import { refuse } from '../unsupported.ts'

export const noRescue: RescueInterface = {
  name: 'no-rescue',
  validate: (task) => refuse(task, 'rescue'),
  rescue: async (task) => refuse(task, 'rescue'),
  unrescue: async (task) => refuse(task, 'rescue'),
}
