/**
 * Checks of a plugin's life around its steps: validate, prepare, cleanUp. The task it gets is on paper and tells what
 * was called.
 */
import { messageOf } from '../../errors.ts'
import type { Json } from '../../plugin-api/index.ts'
import { createTaskOnPaper, HARMLESS, Refusal, type TaskOnPaper, type TaskSetting } from '../task-on-paper.ts'
import type { Given } from './given.ts'

/** How a call of the plugin ended. */
export type Outcome<T> = { ended: 'well'; value: T } | { ended: 'badly'; error: unknown } | { ended: 'never' }

export const settingOf = ({ setting, plugin }: Given, change: TaskSetting = {}): TaskSetting => ({
  options: plugin.options,
  ...setting,
  ...change,
})

export async function outcomeOf<T>(call: () => Promise<T>, deadline_ms: number): Promise<Outcome<T>> {
  let timer: NodeJS.Timeout | undefined
  const never = new Promise<Outcome<T>>((resolve) => {
    timer = setTimeout(() => resolve({ ended: 'never' }), deadline_ms)
  })
  // A plugin's function may also throw before it gives a promise.
  const ended = Promise.resolve()
    .then(call)
    .then(
      (value): Outcome<T> => ({ ended: 'well', value }),
      (error: unknown): Outcome<T> => ({ ended: 'badly', error }),
    )
  return Promise.race([ended, never]).finally(() => clearTimeout(timer))
}

export const told = (what: string, outcome: Outcome<unknown>, given: Given): string =>
  outcome.ended === 'never'
    ? `${what} did not end within ${given.deadline_ms} ms, although the task answers at once`
    : `${what} ${outcome.ended === 'badly' ? `failed: ${messageOf(outcome.error)}` : 'ended well'}`

type Stage = 'validate' | 'prepare' | 'cleanUp'
const live = (given: Given, stage: Stage, { task }: TaskOnPaper) =>
  outcomeOf(async () => given.plugin[stage]?.(task), given.deadline_ms)

export async function validatesWithoutTouching(given: Given): Promise<string[]> {
  const paper = createTaskOnPaper(settingOf(given))
  const outcome = await live(given, 'validate', paper)
  const touched = paper.calls.filter(({ name }) => !HARMLESS.includes(name))
  return [
    ...(outcome.ended === 'well' ? [] : [told('validate of a complete node', outcome, given)]),
    ...touched.map(({ name }) => `validate calls task.${name}, and it may only look`),
  ]
}

export async function refusesInSentences(given: Given): Promise<string[]> {
  const problems = Object.entries(given.refused ?? {}).map(async ([what, change]) => {
    const outcome = await live(given, 'validate', createTaskOnPaper(settingOf(given, change)))
    if (outcome.ended !== 'badly') return [`${told('validate', outcome, given)}, and it should refuse ${what}`]
    return sentenceProblem(outcome.error).map((problem) => `validate refuses ${what}, but ${problem}`)
  })
  return (await Promise.all(problems)).flat()
}

const NOT_FOR_PEOPLE = /\bundefined\b|\[object |\bNaN\b/
const WORDS = 4

/** Only what task.failure or the appliance itself made is shown as a refusal of the node. */
function sentenceProblem(error: unknown): string[] {
  const text = messageOf(error)
  if (!(error instanceof Refusal)) return [`throws what task.failure did not make: ${text}`]
  if (NOT_FOR_PEOPLE.test(text) || text.trim().split(/\s+/).length < WORDS)
    return [`in words that are no sentence: ${text}`]
  return []
}

const NONSENSE: readonly unknown[] = [7, true, null, '', 'a b\n', [], {}, { $: [1] }]
const FIELDS = ['properties', 'driver_info', 'instance_info'] as const

/** Records come from people and scripts: a field may hold anything that JSON can. */
export async function bearsNonsense(given: Given): Promise<string[]> {
  const { node = {} } = settingOf(given)
  const names = [...Object.keys(given.plugin.properties ?? {}), 'root_device', 'capabilities']
  const problems = new Set<string>()
  for (const field of FIELDS) {
    for (const name of new Set([...Object.keys(node[field] ?? {}), ...names])) {
      for (const value of NONSENSE) {
        const changed: Json = { ...node[field], [name]: value }
        const paper = createTaskOnPaper(settingOf(given, { node: { ...node, [field]: changed } }))
        const outcome = await live(given, 'validate', paper)
        if (outcome.ended === 'well' || (outcome.ended === 'badly' && outcome.error instanceof Refusal)) continue
        problems.add(`${told(`validate with ${field}/${name} = ${JSON.stringify(value)}`, outcome, given)}`)
      }
    }
  }
  return [...problems]
}

/** A restart may come between any two of these. */
export async function preparesAndCleansUpAnyTime(given: Given): Promise<string[]> {
  const lives: readonly (readonly Stage[])[] = [
    ['cleanUp', 'cleanUp'],
    ['prepare', 'prepare'],
    ['prepare', 'cleanUp', 'cleanUp', 'prepare'],
  ]
  const problems: string[] = []
  for (const stages of lives) {
    let kept: Json = {}
    for (const stage of stages) {
      const paper = createTaskOnPaper(settingOf(given, { kept }))
      const outcome = await live(given, stage, paper)
      // What was kept is gone when the deploy has ended.
      kept = stage === 'cleanUp' ? {} : { ...paper.kept }
      if (outcome.ended !== 'well') problems.push(told(`${stage} in the order ${stages.join(', ')}`, outcome, given))
    }
  }
  return problems
}

/** Called off, timed out, or the appliance stops: it ends, and says nothing that is not so. */
export async function endsWhenAborted(given: Given): Promise<string[]> {
  const problems: string[] = []
  for (const stage of ['validate', 'prepare', 'cleanUp'] as const) {
    const paper = createTaskOnPaper(settingOf(given, { signal: AbortSignal.abort(new Error('called off')) }))
    const outcome = await live(given, stage, paper)
    if (outcome.ended === 'never') problems.push(told(`${stage} with an aborted signal`, outcome, given))
  }
  return problems
}
