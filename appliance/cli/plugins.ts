/** `rackstrap plugins ...`: what is loaded, taking an update, and what an author of plugins needs. */
import process from 'node:process'
import type { Command } from 'commander'
import { ApplianceError } from '../errors.ts'
import { askForOther } from '../jobs/jobs-socket.ts'
import { createLog } from '../log.ts'
import { thisBox } from '../serve/box.ts'
import { type PluginState, type Reloaded, statesOf } from '../serve/live-plugins.ts'
import { gatherSettings } from '../serve/settings.ts'
import { print } from './output.ts'
import { renderTable } from './table.ts'

type Options = { config?: string; json?: boolean }

const silent = () => createLog('error', () => {})

async function list(options: Options): Promise<void> {
  const { settings } = await gatherSettings(options.config, thisBox, silent)
  const { state_path } = settings.config.DEFAULT
  const answer = await askForOther<Reloaded>(state_path, 'plugins')
  const plugins = answer?.plugins ?? statesOf(settings.pluginSet)
  if (options.json) return print(jsonOf(plugins))
  const where = answer
    ? `The appliance on ${state_path} has these plugins.\n`
    : `No appliance runs on ${state_path}: this is what a start would load.\n`
  await print(where + render(plugins))
}

async function reload(options: Options): Promise<void> {
  const { settings } = await gatherSettings(options.config, thisBox, silent)
  const { state_path } = settings.config.DEFAULT
  const answer = await askForOther<Reloaded>(state_path, 'reload plugins')
  if (answer === undefined) {
    throw new ApplianceError(
      `No appliance runs on ${state_path} ([DEFAULT] state_path): start it with rackstrap serve, or name its configuration by --config.`,
    )
  }
  const { changed, plugins } = answer
  if (plugins.some(({ reason }) => reason !== undefined)) process.exitCode = 1
  if (options.json) return print(jsonOf(answer))
  await print(
    `${changed.length === 0 ? 'no plugin has changed' : `new code: ${changed.join(', ')}`}\n${render(plugins)}`,
  )
}

function render(plugins: readonly PluginState[]): string {
  const rows = plugins.map(({ name, kind, version, state, folder }) => [
    ...[name, kind, version ?? '-', state, folder ?? '-'],
  ])
  const reasons = plugins.flatMap(({ name, reason }) => (reason === undefined ? [] : [`${name}: ${reason}\n`]))
  return renderTable([['PLUGIN', 'KIND', 'VERSION', 'STATE', 'FROM'], ...rows]) + reasons.join('')
}

const jsonOf = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`

export function addPluginCommands(program: Command, configOption: readonly [string, string]): void {
  const plugins = program.command('plugins').description('about plugins: those that are loaded, and writing one')
  const add = (usage: string, description: string) =>
    plugins
      .command(usage)
      .description(description)
      .option(...configOption)
      .option('--json', 'print JSON')
  add('list', 'list the plugins: name, kind, version, state, from where, and why one is refused').action(list)
  add(
    'reload',
    'take what is new on the disk, without dropping deploys: status 1 when a plugin is refused, and what was loaded before goes on',
  ).action(reload)
}
