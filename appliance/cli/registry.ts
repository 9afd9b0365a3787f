/** `rackstrap registry ...`: the registry mirror without the rest of the appliance. */
import { startRegistry } from '@appliance/registry-mirror'
import type { Command } from 'commander'
import { createLog } from '../log.ts'
import { thisBox } from '../serve/box.ts'
import { loadSettings } from '../serve/settings.ts'
import { untilStopped } from './until-stopped.ts'

type ConfigOption = { config?: string }

async function serve({ config: path }: ConfigOption): Promise<void> {
  const settings = await loadSettings(path, thisBox, () => createLog('error'))
  const log = createLog(settings.config.DEFAULT.debug ? 'debug' : 'info')
  for (const warning of settings.warnings) log.warn('configuration', { warning })
  const registry = await startRegistry(settings.registry, log)
  await untilStopped(log, () => registry.stop())
}

export function addRegistryCommands(program: Command, configOption: readonly [string, string]): void {
  program
    .command('registry')
    .description('about the registry mirror')
    .command('serve')
    .description('run the registry mirror alone')
    .option(...configOption)
    .action(serve)
}
