/** All commands that this agent takes, by extension. */
import { AgentError } from '../errors.ts'
import { readInventory } from '../hardware/inventory.ts'
import type { CommandTable } from '../protocol/commands.ts'
import { installBootloader } from './bootloader.ts'
import type { AgentContext } from './context.ts'
import { logCommands } from './logs.ts'
import { rescueCommands } from './rescue.ts'
import { standbyCommands } from './standby.ts'
import { stepCommands } from './steps.ts'

export function commandTable(agent: AgentContext): CommandTable {
  return {
    standby: standbyCommands(agent),
    deploy: stepCommands(agent, 'deploy'),
    clean: stepCommands(agent, 'clean'),
    service: stepCommands(agent, 'service'),
    image: { install_bootloader: { kind: 'async', run: (params) => installBootloader(agent, params) } },
    log: logCommands(agent),
    rescue: rescueCommands(agent),
    poll: {
      get_hardware_info: { kind: 'sync', run: () => readInventory(agent.root, agent.options.bootif) },
      set_node_info: { kind: 'sync', run: refuseNodeInfo },
    },
    system: { lockdown: { kind: 'sync', run: async () => agent.lockDown() } },
  }
}

async function refuseNodeInfo(): Promise<never> {
  const why = 'Node lookup data can only be set when the Ironic Python Agent is running in standalone mode.'
  throw new AgentError('InvalidCommandError', why)
}
