/** `rackstrap serve`: the appliance, until somebody ends it. */
import process from 'node:process'
import type { Command } from 'commander'
import { summarySentence } from '../config/unknown.ts'
import { createLog } from '../log.ts'
import { thisBox } from '../serve/box.ts'
import { loadSettings } from '../serve/settings.ts'
import { startAppliance } from '../serve.ts'
import { createSystemdNotify } from '../systemd-notify.ts'
import { requireFiles } from './file-limit.ts'
import { servingEnd, untilStopped } from './until-stopped.ts'

type ConfigOption = { config?: string }

async function serve({ config: path }: ConfigOption, version: string): Promise<void> {
  requireFiles()
  const ended = servingEnd()
  // A plugin most likely left the promise: no reason to abandon the other nodes. Plugins are loaded with the
  // settings, hence this early.
  process.on('unhandledRejection', (error) =>
    createLog('error').error('promise rejected, and nobody waited for it', { error }),
  )
  const settings = await loadSettings(path, thisBox, ({ DEFAULT }) => createLog(DEFAULT.debug ? 'debug' : 'info'))
  const log = createLog(settings.config.DEFAULT.debug ? 'debug' : 'info')
  log.info('starting', { version, config: settings.file ?? 'none: every option has its default' })
  for (const warning of settings.warnings) log.warn('configuration', { warning })
  if (settings.ironic)
    log.warn('configuration', { warning: `${summarySentence(settings.ironic)}: config check lists them` })
  const appliance = await startAppliance(settings, log, version)
  using systemd = createSystemdNotify(process.env, log, () => appliance.isAlive())
  await systemd.ready(`API on ${appliance.api_url}, machines fetch from ${appliance.http_url}`)
  await untilStopped(ended, log, () => Promise.all([systemd.stopping(), appliance.stop()]))
}

export function addServeCommand(program: Command, configOption: readonly [string, string]): void {
  program
    .command('serve')
    .description('run the appliance')
    .option(...configOption)
    .action((options: ConfigOption) => serve(options, program.version() ?? ''))
}
