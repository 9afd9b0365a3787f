/** The command line: reads arguments, files and environment, and tells errors in one sentence. Does no work itself. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { Command, CommanderError } from 'commander'
import { addBundleCommands } from './cli/bundle.ts'
import { addCaCommands } from './cli/ca.ts'
import { addConfigCommands } from './cli/config.ts'
import { outOfFiles, requireFiles } from './cli/file-limit.ts'
import { addImageCommands } from './cli/images.ts'
import { addJobsCommands } from './cli/jobs.ts'
import { errorsWritten, print, ReaderGone, survivesLostErrors } from './cli/output.ts'
import { addRamdiskCommands } from './cli/ramdisk.ts'
import { addRegistryCommands } from './cli/registry.ts'
import { servingEnd, untilStopped } from './cli/until-stopped.ts'
import { summarySentence } from './config/unknown.ts'
import { messageOf } from './errors.ts'
import { createLog } from './log.ts'
import { thisBox } from './serve/box.ts'
import { foreignFile } from './serve/check/owners.ts'
import { DEFAULT_CONFIG_FILE, loadSettings } from './serve/settings.ts'
import { startAppliance } from './serve.ts'
import { createSystemdNotify } from './systemd-notify.ts'

const VERSION: string = JSON.parse(readFileSync(join(import.meta.dirname, 'package.json'), 'utf8')).version
const CONFIG_OPTION = [
  '--config <file>',
  `configuration file (default: ${DEFAULT_CONFIG_FILE}, when it is there)`,
] as const

type ConfigOption = { config?: string }

async function serve({ config: path }: ConfigOption): Promise<void> {
  requireFiles()
  const ended = servingEnd()
  // A plugin most likely left the promise: no reason to abandon the other nodes. Plugins are loaded with the
  // settings, hence this early.
  process.on('unhandledRejection', (error) =>
    createLog('error').error('promise rejected, and nobody waited for it', { error }),
  )
  const settings = await loadSettings(path, thisBox, ({ DEFAULT }) => createLog(DEFAULT.debug ? 'debug' : 'info'))
  const log = createLog(settings.config.DEFAULT.debug ? 'debug' : 'info')
  log.info('starting', { version: VERSION, config: settings.file ?? 'none: every option has its default' })
  for (const warning of settings.warnings) log.warn('configuration', { warning })
  if (settings.ironic)
    log.warn('configuration', { warning: `${summarySentence(settings.ironic)}: config check lists them` })
  const appliance = await startAppliance(settings, log, VERSION)
  using systemd = createSystemdNotify(process.env, log, () => appliance.isAlive())
  await systemd.ready(`API on ${appliance.api_url}, machines fetch from ${appliance.http_url}`)
  await untilStopped(ended, log, () => Promise.all([systemd.stopping(), appliance.stop()]))
}

const help: string[] = []
const program = new Command('rackstrap')
  .configureOutput({ writeOut: (text) => void help.push(text) })
  .exitOverride()
  .version(VERSION)
  .description('An edge provisioning appliance.')
program
  .command('serve')
  .description('run the appliance')
  .option(...CONFIG_OPTION)
  .action(serve)
addConfigCommands(program, CONFIG_OPTION)
addRamdiskCommands(program, CONFIG_OPTION)
addRegistryCommands(program, CONFIG_OPTION)
addBundleCommands(program, CONFIG_OPTION)
addCaCommands(program, CONFIG_OPTION)
addJobsCommands(program, CONFIG_OPTION)
addImageCommands(program, CONFIG_OPTION)

/** The status that a shell reports for a program that SIGPIPE ended, as other programs end there. */
const READER_GONE = 141

async function act(): Promise<typeof process.exitCode> {
  try {
    try {
      await program.parseAsync()
    } catch (error) {
      // Commander has said what is wrong. Help and version are still to be printed.
      if (!(error instanceof CommanderError)) throw error
      process.exitCode = error.exitCode
    }
    await print(help.join(''))
    return process.exitCode
  } catch (error) {
    if (error instanceof ReaderGone) return READER_GONE
    // Whoever typed the command gets one sentence; whoever asks for the stack gets it, too.
    const reason = outOfFiles(error) ?? [messageOf(error), foreignFile(error)].filter(Boolean).join('\n')
    process.stderr.write(`rackstrap: ${reason}\n`)
    if (process.env.RACKSTRAP_STACK && error instanceof Error) process.stderr.write(`${error.stack}\n`)
    return 1
  }
}

survivesLostErrors()
const status = await act()
await errorsWritten()
process.exit(status ?? undefined)
