/** The commands that the agent was given: one at a time, each with its result. Knows none of them by name. */
import { randomUUID } from 'node:crypto'
import { AgentError, messageOf, type WireError } from '../errors.ts'

export type Params = Record<string, unknown>
export type Progress = { note: string; done?: number; total?: number; unit?: 'bytes' | 'steps' }
export type CommandContext = { progress(progress: Progress): void }
export type CommandDefinition = {
  /** async: the answer goes out at once, and the command goes on. */
  kind: 'sync' | 'async'
  /** What is wrong with the parameters, before anything runs. @throws AgentError */
  validate?(params: Params): void
  run(params: Params, context: CommandContext): Promise<unknown>
}
/** Extension, then command. */
export type CommandTable = Readonly<Record<string, Readonly<Record<string, CommandDefinition>>>>

/** As it goes over the wire. `command_progress` is ours; a stock conductor ignores it. */
export type Command = {
  id: string
  command_name: string
  command_status: 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CLEAN_VERSION_MISMATCH'
  command_error: WireError | null
  command_result: unknown
  command_progress?: Progress
}
export type Commands = {
  /** Oldest first. */
  list(): Command[]
  /** @throws AgentError RequestedObjectNotFoundError */
  get(id: string, wait: boolean): Promise<Command>
  /** @throws AgentError  unknown, refused by its validation, or another one runs */
  execute(name: string, params: Params, wait: boolean): Promise<Command>
}
export type CommandsOptions = {
  table: CommandTable
  onStart(name: string): void
  /** `error` is why it failed. */
  onEnd(command: Command, kind: CommandDefinition['kind'], error: unknown): void
}

/** Far more than a deploy gives; the oldest are forgotten. */
const KEPT = 200

export function createCommands({ table, onStart, onEnd }: CommandsOptions): Commands {
  const entries = new Map<string, { command: Command; ended: Promise<void> }>()
  let running: Command | undefined

  function definitionOf(name: string): { definition: CommandDefinition; short: string } {
    const dot = name.indexOf('.')
    if (dot < 0) throw new AgentError('InvalidCommandError', 'Command name must be of the form <extension>.<name>')
    const [extension, short] = [name.slice(0, dot), name.slice(dot + 1)]
    const commands = Object.hasOwn(table, extension) ? table[extension] : undefined
    if (!commands) throw new AgentError('RequestedObjectNotFoundError', `Extension with id ${extension} not found.`)
    const definition = Object.hasOwn(commands, short) ? commands[short] : undefined
    if (!definition) throw new AgentError('InvalidCommandError', `Unknown command: ${short}`)
    return { definition, short }
  }

  async function runToEnd(command: Command, definition: CommandDefinition, params: Params): Promise<void> {
    let failure: unknown
    try {
      const context: CommandContext = {
        progress(progress) {
          command.command_progress = progress
        },
      }
      const result = (await definition.run(params, context)) ?? null
      const text = definition.kind === 'async' ? `${command.command_name}: ${result}` : result
      command.command_result = typeof result === 'string' ? { result: text } : result
      command.command_status = 'SUCCEEDED'
    } catch (error) {
      failure = error
      const known = error instanceof AgentError ? error : new AgentError('CommandExecutionError', messageOf(error))
      command.command_error = known.toWire()
      command.command_status = known.kind === 'VersionMismatch' ? 'CLEAN_VERSION_MISMATCH' : 'FAILED'
    }
    delete command.command_progress
    if (running === command) running = undefined
    onEnd(command, definition.kind, failure)
  }

  function forgetOldest(): void {
    for (const [id, { command }] of entries) {
      if (entries.size <= KEPT) return
      if (command !== running) entries.delete(id)
    }
  }

  return {
    list: () => [...entries.values()].map(({ command }) => command),
    async get(id, wait) {
      const entry = entries.get(id)
      if (!entry) throw new AgentError('RequestedObjectNotFoundError', `Command Result with id ${id} not found.`)
      if (wait) await entry.ended
      return entry.command
    },
    async execute(name, params, wait) {
      const { definition, short } = definitionOf(name)
      if (running) throw new AgentError('AgentIsBusy', `executing command ${running.command_name}`)
      definition.validate?.(params)
      const command: Command = {
        id: randomUUID(),
        command_name: short,
        command_status: 'RUNNING',
        command_error: null,
        command_result: null,
      }
      running = command
      onStart(name)
      const ended = runToEnd(command, definition, params)
      entries.set(command.id, { command, ended })
      forgetOldest()
      if (wait || definition.kind === 'sync') await ended
      return command
    },
  }
}
