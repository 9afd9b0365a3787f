/** The command line: reads arguments, files and environment, and tells errors in one sentence. Does no work itself. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { Command, CommanderError } from 'commander'
import { outOfFiles } from './cli/file-limit.ts'
import { errorsWritten, print, ReaderGone, survivesLostErrors } from './cli/output.ts'
import { findOwnFilesQuickly } from './cli/own-files.ts'
import { DEFAULT_CONFIG_FILE } from './config/read.ts'
import { messageOf } from './errors.ts'
import { foreignFile } from './serve/check/owners.ts'

const VERSION: string = JSON.parse(readFileSync(join(import.meta.dirname, 'package.json'), 'utf8')).version
const CONFIG_OPTION = [
  '--config <file>',
  `configuration file (default: ${DEFAULT_CONFIG_FILE}, when it is there)`,
] as const

/** The code of a command is read when it is asked for: a start costs a third of what all of it does. */
const COMMANDS = {
  serve: async () => (await import('./cli/serve.ts')).addServeCommand,
  config: async () => (await import('./cli/config.ts')).addConfigCommands,
  ramdisk: async () => (await import('./cli/ramdisk.ts')).addRamdiskCommands,
  registry: async () => (await import('./cli/registry.ts')).addRegistryCommands,
  bundle: async () => (await import('./cli/bundle.ts')).addBundleCommands,
  ca: async () => (await import('./cli/ca.ts')).addCaCommands,
  images: async () => (await import('./cli/images.ts')).addImageCommands,
  plugins: async () => (await import('./cli/plugins.ts')).addPluginCommands,
  jobs: async () => (await import('./cli/jobs.ts')).addJobsCommands,
} as const satisfies Readonly<Record<string, () => Promise<(program: Command, option: typeof CONFIG_OPTION) => void>>>

/** All of them for help, and for what is no command. */
async function addCommands(program: Command, asked: string | undefined): Promise<void> {
  if (asked === '--version' || asked === '-V') return
  const wanted = Object.entries(COMMANDS).filter(([name]) => name === asked)
  for (const [, load] of wanted.length > 0 ? wanted : Object.entries(COMMANDS)) {
    const add = await load()
    add(program, CONFIG_OPTION)
  }
}

const help: string[] = []
const program = new Command('rackstrap')
  .configureOutput({ writeOut: (text) => void help.push(text) })
  .exitOverride()
  .version(VERSION)
  .description('An edge provisioning appliance.')

/** The status that a shell reports for a program that SIGPIPE ended, as other programs end there. */
const READER_GONE = 141

async function act(): Promise<typeof process.exitCode> {
  try {
    try {
      await addCommands(program, process.argv[2])
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

findOwnFilesQuickly()
survivesLostErrors()
const status = await act()
await errorsWritten()
process.exit(status ?? undefined)
