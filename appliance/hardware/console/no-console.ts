/** For machines without a console. */
import type { ConsoleInterface } from '../../plugin-api/interfaces.ts'
import { refuse } from '../unsupported.ts'

export const noConsole: ConsoleInterface = {
  name: 'no-console',
  validate: (task) => refuse(task, 'console'),
  startConsole: async (task) => refuse(task, 'console'),
  stopConsole: async (task) => refuse(task, 'console'),
  getConsole: async (task) => refuse(task, 'console'),
}
