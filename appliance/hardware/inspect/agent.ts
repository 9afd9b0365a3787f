/** The inspection by the agent, which is booted and reports what it finds on the machine. Asks no BMC. */
import type { InspectInterface } from '../../plugin-api/interfaces.ts'

/** @source Ironic drivers/modules/inspector/agent.py AgentInspect */
export const agentInspect: InspectInterface = {
  name: 'agent',
  usesAgent: true,
  validate() {},
  inspectHardware: async () => ({}),
}
