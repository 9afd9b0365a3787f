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

/** What help tells of a command, and the code of it, which is read when it is asked for: it is most of a start. */
const COMMANDS = {
  serve: {
    description: 'run the appliance',
    takesConfig: true,
    load: async () => (await import('./cli/serve.ts')).addServeCommand,
  },
  config: {
    description: 'about the configuration',
    load: async () => (await import('./cli/config.ts')).addConfigCommands,
  },
  ramdisk: {
    description: 'about the deploy ramdisk',
    load: async () => (await import('./cli/ramdisk.ts')).addRamdiskCommands,
  },
  registry: {
    description: 'about the registry mirror',
    load: async () => (await import('./cli/registry.ts')).addRegistryCommands,
  },
  bundle: {
    description: 'carry images and files over an air gap',
    load: async () => (await import('./cli/bundle.ts')).addBundleCommands,
  },
  ca: {
    description: "about the appliance's own CA",
    load: async () => (await import('./cli/ca.ts')).addCaCommands,
  },
  images: {
    description: 'about the image cache',
    load: async () => (await import('./cli/images.ts')).addImageCommands,
  },
  plugins: {
    description: 'about plugins: those that are loaded, and writing one',
    load: async () => (await import('./cli/plugins.ts')).addPluginCommands,
  },
  jobs: {
    description: 'about what the appliance does by itself, by the clock',
    load: async () => (await import('./cli/jobs.ts')).addJobsCommands,
  },
  user: {
    description: 'about who may log in to the API (auth_strategy = http_basic)',
    load: async () => (await import('./cli/user.ts')).addUserCommands,
  },
  doctor: {
    description: 'tell which steps of SECURITY.md this box has taken: status 0 when all are, else 1',
    takesConfig: true,
    load: async () => (await import('./cli/doctor.ts')).addDoctorCommand,
  },
} as const satisfies Readonly<Record<string, CommandRow>>

type CommandRow = {
  description: string
  /** It is a command itself, and none of its own are below it. */
  takesConfig?: true
  /** The command's own options, arguments and action, or the commands below it. */
  load(): Promise<(command: Command, option: typeof CONFIG_OPTION) => void>
}

/** All of them by name; with all that it takes, the one that is asked for, or that help is asked of. */
async function addCommands(program: Command, args: readonly string[]): Promise<void> {
  const asked = args.find((arg) => Object.hasOwn(COMMANDS, arg))
  for (const [name, row] of Object.entries<CommandRow>(COMMANDS)) {
    const command = program.command(name).description(row.description)
    if (row.takesConfig) command.option(...CONFIG_OPTION)
    if (name !== asked) continue
    const add = await row.load()
    add(command, CONFIG_OPTION)
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
      await addCommands(program, process.argv.slice(2))
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
