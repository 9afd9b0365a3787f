/** `rackstrap plugins ...`: what is loaded, taking an update, and what an author of plugins needs. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import process from 'node:process'
import type { Command } from 'commander'
import { ApplianceError } from '../errors.ts'
import { askForOther } from '../jobs/jobs-socket.ts'
import { createLog } from '../log.ts'
import { thisBox } from '../serve/box.ts'
import { type PluginState, type Reloaded, statesOf } from '../serve/live-plugins.ts'
import { gatherSettings } from '../serve/settings.ts'
import { jsonOf, print } from './output.ts'
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

/** @param folder  of the plugin. Status 1: something is wrong with it */
async function check(folder: string): Promise<void> {
  const { checkPlugin } = await import('../plugin-testing/check-plugin.ts')
  const { manifest, findings, tests } = await checkPlugin(folder)
  const isWrong = await tell(findings)
  if (isWrong || manifest === undefined) return
  if (tests.length > 0) {
    // Its author's tests run the whole suite, with a node that can be deployed.
    const register = join(import.meta.dirname, '../plugin-testing/register.ts')
    // Set where a test runs this command: Node would skip the tests then.
    const { NODE_TEST_CONTEXT: _outer, ...env } = process.env
    const child = spawn(process.execPath, ['--import', register, '--test', ...tests], { env, stdio: 'inherit' })
    const [status] = await once(child, 'exit')
    if (status !== 0) process.exitCode = 1
    return
  }
  if (manifest.kind === 'deploy') {
    const { problemsWithoutNode } = await import('../plugin-testing/index.ts')
    await tell(await problemsWithoutNode({ folder: manifest.folder, name: manifest.name }))
  }
  await print(
    `The folder has no ${manifest.name}.test.ts, so nothing was deployed on paper: see what rackstrap plugins new writes.\n`,
  )
}

async function tell(findings: readonly { what: string; problems: readonly string[] }[]): Promise<boolean> {
  for (const { what, problems } of findings) {
    await print(`${problems.length === 0 ? '✔' : '✖'} ${what}\n${problems.map((problem) => `  ${problem}\n`).join('')}`)
  }
  const isWrong = findings.some(({ problems }) => problems.length > 0)
  if (isWrong) process.exitCode = 1
  return isWrong
}

async function writeNew(name: string, folder: string | undefined): Promise<void> {
  const { writeSkeleton } = await import('../plugin-testing/write-skeleton.ts')
  const place = resolve(folder ?? name)
  const files = await writeSkeleton(name, place)
  await print(
    `${place} holds a plugin that works:\n${files.map((file) => `  ${file}\n`).join('')}Test it: rackstrap plugins check ${place}\n`,
  )
}

export function addPluginCommands(plugins: Command, configOption: readonly [string, string]): void {
  const add = (usage: string, description: string) =>
    plugins
      .command(usage)
      .description(description)
      .option(...configOption)
      .option('--json', 'print JSON')
  plugins
    .command('check <folder>')
    .description("look a plugin's folder over: manifest, owner, code, layers; then run its tests")
    .action(check)
  plugins
    .command('new <name> [folder]')
    .description('write a plugin that works, with its test and its layer; the folder is named as the plugin')
    .action(writeNew)
  add('list', 'list the plugins: name, kind, version, state, from where, and why one is refused').action(list)
  add(
    'reload',
    'take what is new on the disk, without dropping deploys: status 1 when a plugin is refused, and what was loaded before goes on',
  ).action(reload)
}
