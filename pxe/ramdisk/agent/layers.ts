/**
 * The scripts that layers bring: finds and loads them, and has each start what it starts. Knows no step; see
 * commands/layer-steps.ts.
 */
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Facts, StepAgent } from '../../agent-api.ts'
import { messageOf } from './errors.ts'

const FOLDER = 'usr/lib/rackstrap/steps'
const START_DEADLINE_S = 60
/** Of JSON; the appliance takes no more. */
const FACTS_LIMIT_BYTES = 8 * 1024

/** @param exported  by the script, whatever that is */
export type LayerScript = { layer: string; exported: Readonly<Record<string, unknown>> }

/**
 * In the order of their names.
 * @param complain  gets one sentence for a script that is none: the agent goes on without it
 */
export function loadLayerScripts(root: string, complain: (problem: string) => void): LayerScript[] {
  return scriptsIn(join(root, FOLDER)).flatMap((script) => {
    const layer = script.slice(0, -'.js'.length)
    try {
      return [{ layer, exported: createRequire(join(root, FOLDER, script))(`./${script}`) as LayerScript['exported'] }]
    } catch (error) {
      complain(`The deploy steps of layer ${layer} cannot be loaded: ${messageOf(error)}`)
      return []
    }
  })
}

function scriptsIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.js'))
      .sort()
  } catch {
    // No layer brings a script.
    return []
  }
}

/**
 * Has every layer start what it starts, side by side.
 * @returns by layer; `{ error }` of one that could not
 */
export async function startLayers(
  agent: StepAgent,
  o: { deadline_s?: number } = {},
): Promise<Readonly<Record<string, Facts>>> {
  // Those that do not load are told of as their steps are asked for.
  const scripts = loadLayerScripts(agent.root, () => {})
  const started = await Promise.all(
    scripts.map(async ({ layer, exported: { start } }): Promise<[string, Facts][]> => {
      if (typeof start !== 'function') return []
      try {
        const facts = factsOf(await within(o.deadline_s ?? START_DEADLINE_S, () => start(agent)))
        return facts === undefined ? [] : [[layer, facts]]
      } catch (error) {
        agent.screen.say(`FAILED Layer ${layer} did not start: ${messageOf(error)}`)
        return [[layer, { error: messageOf(error).slice(0, FACTS_LIMIT_BYTES / 4) }]]
      }
    }),
  )
  return Object.fromEntries(started.flat())
}

async function within(deadline_s: number, start: () => unknown): Promise<unknown> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`it took more than ${deadline_s} s`)), deadline_s * 1000)
  try {
    return await Promise.race([start(), late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** As JSON carries them. */
function factsOf(told: unknown): Facts | undefined {
  if (told === undefined) return undefined
  const text = JSON.stringify(told)
  const facts: unknown = text === undefined ? undefined : JSON.parse(text)
  if (facts === null || typeof facts !== 'object' || Array.isArray(facts)) throw new Error('it told no JSON object')
  if (Buffer.byteLength(text) > FACTS_LIMIT_BYTES) throw new Error(`it told more than ${FACTS_LIMIT_BYTES} bytes`)
  return facts as Facts
}
