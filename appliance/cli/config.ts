/** `rackstrap config ...`: prints the sample and the docs, and says what is wrong with a configuration. */
import type { Command } from 'commander'
import { placed } from '../config/place.ts'
import { renderDocs, renderSample, renderValues } from '../config/render.ts'
import { renderSummary } from '../config/unknown.ts'
import { createLog } from '../log.ts'
import { thisBox } from '../serve/box.ts'
import { mirrorFindings, problemsOf } from '../serve/check-settings.ts'
import { problemOfRamdisk } from '../serve/health.ts'
import { gatherSettings, type Settings } from '../serve/settings.ts'
import { print } from './output.ts'

const SILENT_LOG = createLog('error', () => {})
const ERRORS = 1
/** The status for warnings, with --strict alone. */
const WARNINGS = 2

type ConfigOption = { config?: string }
type CheckOptions = ConfigOption & { strict?: boolean }
type Findings = { errors: readonly string[]; warnings: readonly string[] }

/** Finds all problems of a configuration, whatever else is wrong. */
async function findingsOf(settings: Settings, problems: readonly string[]): Promise<Findings> {
  const mirror = await mirrorFindings(settings)
  const inFile = (message: string) => placed(settings.source, message)
  const errors = [
    ...problems,
    ...problemsOf(settings),
    ...settings.plugins.failures.map(({ reason }) => inFile(reason)),
    ...mirror.errors.map(inFile),
  ]
  const ramdisk = (await problemOfRamdisk(settings.config.pxe.ramdisk_path)) ?? []
  return {
    errors: [...new Set(errors)],
    warnings: [...settings.warnings, ...mirror.warnings.map(inFile)].concat(ramdisk),
  }
}

/** Prints all of it to stdout, the problems last: a pager and a terminal then show them where people look. */
async function check({ config, strict }: CheckOptions): Promise<void> {
  const { settings, problems } = await gatherSettings(config, thisBox, () => SILENT_LOG)
  const { file, tables, ironic } = settings
  const { errors, warnings } = await findingsOf(settings, problems)
  const unbuilt = ironic && ironic.notBuilt.length > 0 ? 1 : 0
  const parts = [
    `# ${file ?? 'No configuration file'}: this is what would be used.\n\n${renderValues(tables)}`,
    ironic ? `${unbuilt ? 'warning' : 'note'}: ${renderSummary(ironic)}` : '',
    warnings.map((warning) => `warning: ${warning}\n`).join(''),
    errors.map((error) => `error: ${error}\n`).join(''),
    `${countOf(errors.length, 'error')}, ${countOf(warnings.length + unbuilt, 'warning')}\n`,
  ]
  await print(parts.filter((part) => part !== '').join('\n'))
  if (errors.length > 0) process.exitCode = ERRORS
  else if (strict && warnings.length + unbuilt > 0) process.exitCode = WARNINGS
}

const countOf = (count: number, word: string) => `${count} ${word}${count === 1 ? '' : 's'}`

async function render({ config }: ConfigOption, as: typeof renderSample): Promise<void> {
  const { settings } = await gatherSettings(config, thisBox, () => SILENT_LOG)
  await print(as(settings.known))
}

export function addConfigCommands(config: Command, option: readonly [string, string]): void {
  config
    .command('sample')
    .description('print a configuration file with every option and its default')
    .option(...option)
    .action((options: ConfigOption) => render(options, renderSample))
  config
    .command('docs')
    .description('print the options as Markdown')
    .option(...option)
    .action((options: ConfigOption) => render(options, renderDocs))
  config
    .command('check')
    .description(
      'tell what would be used, and then what is wrong with it: status 0, 1 when there are errors, 2 by --strict when there are warnings',
    )
    .argument('[file]', 'configuration file')
    .option('--strict', 'end with status 2 when there are warnings')
    .option(...option)
    .action((file: string | undefined, options: CheckOptions) =>
      check(file === undefined ? options : { ...options, config: file }),
    )
}
