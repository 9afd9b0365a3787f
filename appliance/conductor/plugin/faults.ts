/**
 * Calls a plugin. What it does wrong becomes one sentence that names it, and fails its own node alone: also what comes
 * after its call has ended, from a promise or timer that it left.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { ApplianceError, DeployFailure } from '../../errors.ts'
import type { Step, StepResult } from '../../plugin-api/index.ts'

/** The plugin did what the contract does not have; the text is the operator's. */
class PluginFault extends DeployFailure {}

/** `who`: as in `the deploy interface hello`. `fail`: ends what the node goes through. */
type Called = {
  who: string
  node: string
  /** Its plain errors are its refusals, in words of its own. */
  refuses?: boolean
  fail?(fault: DeployFailure): void
}

/** Node keeps it over awaits, timers and callbacks. */
const called = new AsyncLocalStorage<Called>()

const TEXT_LIMIT = 500

/** @throws ApplianceError  as it was thrown; anything else as a fault of the plugin */
export async function callPlugin<T>(given: Called, call: () => T | Promise<T>): Promise<T> {
  try {
    return await called.run(given, async () => call())
  } catch (error) {
    if (given.refuses && isError(error) && error.name === 'Error') throw error
    throw faultOf(given.who, 'threw', error)
  }
}

/** As callPlugin, for what describes. */
export function askPlugin<T>(given: Called, call: () => T): T {
  try {
    return called.run(given, call)
  } catch (error) {
    throw faultOf(given.who, 'threw', error)
  }
}

function faultOf(who: string, did: string, error: unknown): ApplianceError {
  if (isError(error)) {
    return error instanceof ApplianceError
      ? error
      : new PluginFault(`${who} ${did} ${described(error)}`, { cause: error })
  }
  return new PluginFault(`${who} ${did} ${described(error)}`)
}

/** Nothing is certain of what a stranger throws, not even that it can be looked at. */
function isError(error: unknown): error is Error {
  try {
    return error instanceof Error && typeof error.message === 'string' && typeof error.name === 'string'
  } catch {
    // A proxy whose traps throw.
    return false
  }
}

function described(value: unknown): string {
  try {
    const text = isError(value) ? `${value.name}: ${value.message}` : (JSON.stringify(value) ?? String(value))
    return text.slice(0, TEXT_LIMIT)
  } catch {
    // A getter that throws, or a circle.
    return 'what cannot be told'
  }
}

const WAITS: readonly unknown[] = ['agent-command', 'agent-boot', 'callback']

/** @throws PluginFault  it is none */
export function checkedResult(who: string, result: unknown): StepResult {
  const { done, wait, note } = (result ?? {}) as { done?: unknown; wait?: unknown; note?: unknown }
  if (wait === undefined && done === true) return { done: true }
  const hasNote = typeof note === 'string' && note !== ''
  if (WAITS.includes(wait)) {
    return { wait: wait as 'callback', ...(hasNote && { note: note.slice(0, TEXT_LIMIT) }) }
  }
  throw new PluginFault(
    `${who} returned ${described(result)}: { done: true } or { wait: 'agent-command', 'agent-boot' or 'callback' } is expected`,
  )
}

/** @throws PluginFault  what deploySteps or cleanSteps gave is no list of steps */
export function checkedSteps(who: string, steps: unknown): readonly Step[] {
  if (!Array.isArray(steps)) throw new PluginFault(`${who} gave ${described(steps)}: a list of steps is expected`)
  for (const step of steps as readonly (Partial<Step> | null | undefined)[]) {
    const { step: name, priority, run, resume } = step ?? {}
    const isOne = typeof name === 'string' && Number.isFinite(priority) && typeof run === 'function'
    if (isOne && (resume === undefined || typeof resume === 'function')) continue
    throw new PluginFault(`${who} gave the step ${described(step)}: step, priority and run are expected`)
  }
  return steps as readonly Step[]
}

/**
 * For what nobody waits for: a rejected promise, an error of a timer.
 * @returns false: no plugin's call left it
 */
export function blame(error: unknown): { who: string; node: string } | undefined {
  const given = called.getStore()
  if (given === undefined) return undefined
  given.fail?.(new PluginFault(`${given.who} left behind what failed later: ${described(error)}`, { cause: error }))
  return { who: given.who, node: given.node }
}
