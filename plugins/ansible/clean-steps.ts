/** The clean steps that a file beside the playbooks describes. @source Ironic ansible/deploy.py, _get_clean_steps */
import type { Json, Step } from '@appliance/core/plugin-api'
import { type AnsibleTask, cleanStepsFile } from './node-fields.ts'
import type { AnsibleOptions } from './options.ts'
import { runPlaybook } from './run-playbook.ts'
import { nodeVariables } from './variables.ts'

/** As `prepareClean` keeps it. `values`: arguments that a step has unless the request gives others. */
type Described = {
  step: string
  priority: number
  argsInfo: Record<string, { description: string; required?: boolean }>
  values: Json
}

const HOST = `${import.meta.dirname}/host`
const STEPS_LIMIT = 100
const TAG = /^[\w.:-]{1,100}$/
const isObject = (value: unknown): value is Json => value !== null && typeof value === 'object' && !Array.isArray(value)

/** @throws failure  the file cannot be read, or is not what Ironic takes */
export async function readCleanSteps(task: AnsibleTask): Promise<{ clean_steps: Described[] }> {
  const file = cleanStepsFile(task)
  const args = [`${HOST}/python-of.sh`, task.options.ansible_playbook_script, `${HOST}/clean_steps.py`, file]
  const { playbooks_path } = task.options
  const reads = playbooks_path ? [playbooks_path] : []
  const { stdout } = await task.exec('sh', args, { timeout_s: 60, reads }).catch((error: unknown) => {
    task.signal.throwIfAborted()
    const why = (error as Error).message.replace(/^sh failed: (exit status \d+: )?/, '')
    throw task.failure(`Failed to load clean steps from file ${file}: ${why}`, error)
  })
  const described = parseCleanSteps(JSON.parse(stdout))
  if (typeof described === 'string') throw task.failure(`${described} (${file})`)
  return { clean_steps: described }
}

/** @returns a sentence in Ironic's words when it is malformed; steps of other interfaces are left out, as there */
export function parseCleanSteps(found: unknown): Described[] | string {
  if (!Array.isArray(found) || !found.every(isObject)) return 'Malformed clean_steps file: no list of steps'
  if (found.length > STEPS_LIMIT) return `Malformed clean_steps file: more than ${STEPS_LIMIT} steps`
  const missing = found.flatMap(missingIn)
  if (missing.length > 0) {
    return `Malformed clean_steps file: ${missing.map(([name, field]) => `name ${name}, field ${field}`).join(', ')}`
  }
  if (new Set(found.map(({ name }) => name)).size < found.length) return 'Cleaning steps do not have unique names.'
  return found
    .filter((step) => step.interface === 'deploy')
    .map(({ name, priority = 0, args }) => ({
      step: String(name),
      priority: Number(priority),
      argsInfo: mapArgs(args, ({ description, required }) => ({
        description: typeof description === 'string' ? description : '',
        ...(required === true ? { required } : {}),
      })),
      values: Object.fromEntries(
        Object.entries((args ?? {}) as Record<string, Json>).flatMap(([key, arg]) =>
          arg.value === undefined ? [] : [[key, arg.value]],
        ),
      ),
    }))
}

const mapArgs = <T>(args: unknown, map: (arg: Json) => T): Record<string, T> =>
  Object.fromEntries(Object.entries((args ?? {}) as Record<string, Json>).map(([key, arg]) => [key, map(arg)]))

/** What is missing or wrong in one step: its name, and the field. */
function missingIn({ name, interface: type, priority = 0, args = {} }: Json): [string, string][] {
  if (typeof name !== 'string' || !/^\w{1,100}$/.test(name)) return [['undefined', 'name']]
  const wrong: [string, string][] = []
  if (typeof type !== 'string') wrong.push([name, 'interface'])
  if (!Number.isInteger(priority) || Number(priority) < 0) wrong.push([name, 'priority'])
  if (args !== null && !isObject(args)) return [...wrong, [name, 'args']]
  for (const [key, arg] of Object.entries(args ?? {})) {
    if (!isObject(arg)) wrong.push([name, key])
    else if (arg.required === true && arg.value === undefined) wrong.push([name, `${key}.value`])
  }
  return wrong
}

/** @param kept  as readCleanSteps gave it; {}: no cleaning is under way */
export const cleanSteps = ({ clean_steps = [] }: Json): Step<AnsibleOptions>[] =>
  (clean_steps as Described[]).map(({ step, priority, argsInfo, values }) => ({
    step,
    priority,
    abortable: false,
    argsInfo,
    async run(task, args) {
      const variables = nodeVariables(task)
      await runPlaybook(task, { action: 'clean', variables, tags: tagsIn(task, step, { ...values, ...args }) })
      return { done: true }
    },
  }))

/** No tags: the playbook runs whole, as in Ironic. */
function tagsIn({ failure }: AnsibleTask, step: string, { tags = [] }: Json): readonly string[] {
  const list = Array.isArray(tags) ? tags : [tags]
  if (list.every((tag): tag is string => typeof tag === 'string' && TAG.test(tag))) return list
  throw failure(`The argument tags of the clean step ${step} is ${JSON.stringify(tags)}: expected a list of tags.`)
}
