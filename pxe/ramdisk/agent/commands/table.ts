/** All commands that this agent takes, by extension. */
import { AgentError } from '../errors.ts'
import { readInventory } from '../hardware/inventory.ts'
import type { CommandDefinition, CommandTable } from '../protocol/commands.ts'
import type { AgentContext } from './context.ts'
import { logCommands } from './logs.ts'
import { standbyCommands } from './standby.ts'
import { stepCommands } from './steps.ts'

export function commandTable(agent: AgentContext): CommandTable {
  return {
    standby: standbyCommands(agent),
    deploy: stepCommands(agent, 'deploy'),
    clean: stepCommands(agent, 'clean'),
    service: stepCommands(agent, 'service'),
    image: { install_bootloader: installBootloader(agent) },
    log: logCommands(agent),
    poll: {
      get_hardware_info: { kind: 'sync', run: () => readInventory(agent.root, agent.options.bootif) },
      set_node_info: { kind: 'sync', run: refuseNodeInfo },
    },
    system: { lockdown: { kind: 'sync', run: async () => agent.lockDown() } },
  }
}

/** A whole-disk image brings its own; UEFI finds it at \EFI\BOOT of its system partition. */
function installBootloader({ screen }: AgentContext): CommandDefinition {
  return {
    kind: 'async',
    async run() {
      screen.note('install_bootloader: a whole-disk image brings its own')
    },
  }
}

async function refuseNodeInfo(): Promise<never> {
  const why = 'Node lookup data can only be set when the Ironic Python Agent is running in standalone mode.'
  throw new AgentError('InvalidCommandError', why)
}
