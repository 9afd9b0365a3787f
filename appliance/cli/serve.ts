/** `rackstrap serve`: the appliance, until somebody ends it. */
import process from 'node:process'
import type { Command } from 'commander'
import { summarySentence } from '../config/unknown.ts'
import { messageOf } from '../errors.ts'
import { createLog } from '../log.ts'
import { thisBox } from '../serve/box.ts'
import { unlessEndedByUs, watchLeftBehind } from '../serve/left-behind.ts'
import { loadSettings } from '../serve/settings.ts'
import { type Appliance, startAppliance } from '../serve.ts'
import { createSystemdNotify } from '../systemd-notify.ts'
import { requireFiles } from './file-limit.ts'
import { servingEnd, untilStopped } from './until-stopped.ts'

type ConfigOption = { config?: string }

async function serve({ config: path }: ConfigOption, version: string): Promise<void> {
  requireFiles()
  let appliance: Appliance | undefined
  // systemd sends it for a reload, and has no terminal that could be gone.
  const ended = servingEnd(process.env.NOTIFY_SOCKET === undefined ? undefined : () => reload(appliance))
  watchLeftBehind()
  const endedByUs = unlessEndedByUs()
  const settings = await loadSettings(path, thisBox, ({ DEFAULT }) => createLog(DEFAULT.debug ? 'debug' : 'info'))
  const log = createLog(settings.config.DEFAULT.debug ? 'debug' : 'info')
  log.info('starting', { version, config: settings.file ?? 'none: every option has its default' })
  for (const warning of settings.warnings) log.warn('configuration', { warning })
  if (settings.ironic)
    log.warn('configuration', { warning: `${summarySentence(settings.ironic)}: config check lists them` })
  const running = await startAppliance(settings, log, version)
  appliance = running
  using systemd = createSystemdNotify(process.env, log, () => running.isAlive())
  await systemd.ready(`API on ${running.api_url}, machines fetch from ${running.http_url}`)
  await untilStopped(ended, log, () => Promise.all([systemd.stopping(), running.stop()]))
  endedByUs()
}

/** Before the start is over there is nothing to reload: the start takes what is on the disk. */
function reload(appliance: Appliance | undefined): void {
  const failed = (error: unknown) => createLog('error').error('plugins not reloaded', { reason: messageOf(error) })
  void appliance?.reloadPlugins().catch(failed)
}

export function addServeCommand(command: Command): void {
  command.action((options: ConfigOption) => serve(options, command.parent?.version() ?? ''))
}
