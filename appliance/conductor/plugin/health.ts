/** Asks plugins what they miss on this box, for /healthz. */
import { messageOf } from '../../errors.ts'
import type { DeployPlugin, Json, Values } from '../../plugin-api/index.ts'
import type { Hidden } from '../parts/parts.ts'
import { exec } from './exec.ts'
import { missing } from './missing.ts'

const DEADLINE_MS = 10_000
/** Probes come every few seconds. */
const FRESH_MS = 60_000

/**
 * @param valuesOf  the values of a plugin's own options
 * @returns a function that gives one sentence for each plugin that has something to say
 */
export function createPluginProblems(
  plugins: readonly DeployPlugin[],
  valuesOf: (plugin: string) => Json,
  hidden?: Hidden,
): () => Promise<readonly string[]> {
  let asked: { at_ms: number; answer: Promise<readonly string[]> } | undefined
  const ask = async () => {
    const problems = await Promise.all(plugins.map((plugin) => problemOf(plugin, valuesOf(plugin.name), hidden)))
    return problems.filter((problem) => problem !== undefined)
  }
  return () => {
    const now = performance.now()
    if (asked === undefined || now - asked.at_ms > FRESH_MS) asked = { at_ms: now, answer: ask() }
    return asked.answer
  }
}

async function problemOf(plugin: DeployPlugin, options: Json, hidden: Hidden | undefined): Promise<string | undefined> {
  if (!plugin.health) return undefined
  const signal = AbortSignal.timeout(DEADLINE_MS)
  const { promise: late, reject } = Promise.withResolvers<never>()
  signal.addEventListener('abort', () => reject(new Error(`it gave no answer within ${DEADLINE_MS / 1000} s`)))
  const box = {
    options: options as Values<Record<string, never>>,
    signal,
    missing,
    exec: (file: string, args: readonly string[], o = {}) =>
      exec(file, args, o, { signal, node_uuid: plugin.name, hidden }),
  }
  try {
    const said = await Promise.race([plugin.health(box), late])
    return said === undefined ? undefined : `${plugin.name}: ${String(said).slice(0, 500)}`
  } catch (error) {
    return `${plugin.name}: its health cannot be told: ${messageOf(error)}`
  }
}
