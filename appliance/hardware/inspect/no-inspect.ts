/** For machines that are not inspected. */
import type { InspectInterface } from '../../plugin-api/interfaces.ts'
import { refuse } from '../unsupported.ts'

export const noInspect: InspectInterface = {
  name: 'no-inspect',
  validate: (task) => refuse(task, 'inspect'),
  inspectHardware: async (task) => refuse(task, 'inspect'),
}
