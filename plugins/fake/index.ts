/**
 * The deploy interface `fake`: the node goes through its states, and no machine is touched. For clients' own tests, and
 * for trying out the API. @source Ironic drivers/modules/fake.py FakeDeploy
 */
import type { DeployPlugin } from '@appliance/core/plugin-api'

const OPTIONS = {} as const

export default {
  apiVersion: '1',
  name: 'fake',
  usesAgent: false,
  hasMachine: false,
  options: OPTIONS,
  async validate() {},
  deploySteps: () => [{ step: 'deploy', priority: 100, again: true, run: async () => ({ done: true }) }],
} satisfies DeployPlugin<typeof OPTIONS>
