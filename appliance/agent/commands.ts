/** What an agent answers, taken as hostile: checked by schema, cut to size, turned into the plugin contract's words. */
import { plainText } from '@appliance/ground/plain-text'
import { z } from 'zod'
import { AgentFailure } from '../errors.ts'
import type { AgentCommand, Json, Progress } from '../plugin-api/index.ts'
import type { OfferedStep } from '../records/kinds/internal-info.ts'

const COMMANDS_LIMIT = 1000
const STEPS_LIMIT = 1000
const ERROR_LIMIT = 2000
/** Of an error that is shown in part. */
const LOOKED_AT = 64 * 1024

const commandSchema = z.object({
  id: z.string().max(200),
  command_name: z.string().max(200),
  command_status: z.string().max(100),
  command_error: z.unknown().optional(),
  command_result: z.unknown().optional(),
  command_progress: z.unknown().optional(),
})
const listSchema = z.object({ commands: z.array(commandSchema).max(COMMANDS_LIMIT) })

export type Command = AgentCommand & { progress?: Progress }

/** @throws AgentFailure */
export function parseCommand(node: string, body: unknown): Command {
  const parsed = commandSchema.safeParse(body)
  if (!parsed.success) throw misshapen(node, 'a command', parsed.error)
  return toCommand(node, parsed.data)
}

/** @throws AgentFailure */
export function parseCommands(node: string, body: unknown): Command[] {
  const parsed = listSchema.safeParse(body)
  if (!parsed.success) throw misshapen(node, 'a list of commands', parsed.error)
  return parsed.data.commands.map((command) => toCommand(node, command))
}

function misshapen(node: string, what: string, error: z.ZodError): AgentFailure {
  const issue = error.issues[0]
  const where = issue ? `${issue.path.join('.') || 'answer'}: ${issue.message}` : 'unknown shape'
  return new AgentFailure(`The agent of node ${node} answered something that is not ${what}: ${where.slice(0, 300)}`)
}

const STATUSES: ReadonlyMap<string, AgentCommand['status']> = new Map([
  ['RUNNING', 'RUNNING'],
  ['SUCCEEDED', 'SUCCEEDED'],
  ['FAILED', 'FAILED'],
  ['VERSION_MISMATCH', 'VERSION_MISMATCH'],
  ['CLEAN_VERSION_MISMATCH', 'VERSION_MISMATCH'],
])

function toCommand(node: string, raw: z.infer<typeof commandSchema>): Command {
  const status = STATUSES.get(raw.command_status)
  if (!status) {
    throw new AgentFailure(
      `The agent of node ${node} says that ${raw.command_name} is "${raw.command_status}", which is no status`,
    )
  }
  const error = errorText(raw.command_error)
  const progress = toProgress(raw.command_progress)
  return {
    id: raw.id,
    name: plainText(raw.command_name),
    status,
    result: raw.command_result,
    ...(error
      ? { error }
      : status === 'FAILED'
        ? { error: 'Invalid agent response: it failed without saying why' }
        : {}),
    ...(progress ? { progress } : {}),
  }
}

/** @source Ironic agent_client.get_command_error: details, else message, else the whole of it */
function errorText(error: unknown): string | undefined {
  if (error === null || error === undefined) return undefined
  if (typeof error === 'string') return wordsOf(error)
  const { details, message } = error as { details?: unknown; message?: unknown }
  const text =
    typeof details === 'string' && details ? details : typeof message === 'string' && message ? message : undefined
  return wordsOf(text ?? JSON.stringify(error))
}

const wordsOf = (text: string) => plainText(text.slice(0, LOOKED_AT), ERROR_LIMIT)

const progressSchema = z.object({
  note: z.string().max(200),
  done: z.number().nonnegative().optional(),
  total: z.number().nonnegative().optional(),
  unit: z.enum(['bytes', 'steps']).optional(),
})

/** Only our own agent reports progress. */
function toProgress(progress: unknown): Progress | undefined {
  const parsed = progressSchema.safeParse(progress)
  if (!parsed.success) return undefined
  const { note, ...rest } = parsed.data
  return {
    note: plainText(note),
    ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)),
  }
}

const stepSchema = z.looseObject({
  interface: z.string().max(100),
  step: z.string().max(200),
  priority: z.number().int(),
  reboot_requested: z.boolean().optional(),
  abortable: z.boolean().optional(),
  argsinfo: z
    .record(z.string(), z.looseObject({ description: z.string().optional(), required: z.boolean().optional() }))
    .nullish(),
})
const stepListsSchema = z.record(z.string(), z.array(stepSchema).max(STEPS_LIMIT))

/**
 * @param key  deploy_steps of the result of deploy.get_deploy_steps, clean_steps of clean.get_clean_steps, ...
 * @throws AgentFailure
 */
export function parseSteps(node: string, key: string, result: unknown): { steps: OfferedStep[]; version: Json } {
  const schema = z.object({ [key]: stepListsSchema, hardware_manager_version: z.unknown().optional() })
  const parsed = schema.safeParse(result)
  if (!parsed.success) throw misshapen(node, `its list of ${key.replace('_', ' ')}`, parsed.error)
  const steps = Object.values(parsed.data[key] as z.infer<typeof stepListsSchema>)
    .flat()
    .map(({ interface: name, step, priority, reboot_requested, abortable, argsinfo }) => ({
      interface: name,
      step,
      priority,
      reboot_requested: reboot_requested ?? false,
      ...(abortable ? { abortable } : {}),
      argsinfo: Object.fromEntries(
        Object.entries(argsinfo ?? {}).map(([key, info]) => [
          key,
          { description: plainText(info.description ?? ''), ...(info.required ? { required: true } : {}) },
        ]),
      ),
    }))
  return { steps, version: (parsed.data.hardware_manager_version ?? {}) as Json }
}
