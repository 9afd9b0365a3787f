/** Checks of what a plugin says of itself: steps, options, properties. Nothing of it is run. */
import { isDeepStrictEqual } from 'node:util'
import { messageOf } from '../../errors.ts'
import type { Json, Option, Step } from '../../plugin-api/index.ts'
import { createKitOnPaper } from '../kit-on-paper.ts'
import { createTaskOnPaper } from '../task-on-paper.ts'
import type { Given } from './given.ts'

const SNAKE_CASE = /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/
const SENTENCE = /^\S.*\.$/s
const PRIORITY_LIMIT = 100

const NODES: readonly Json[] = [{}, { image_source: 7, kernel: null, ramdisk: [], boot_iso: {} }]

/** Asked of any node, whoever's it is, and not told what went wrong. */
export function saysWhetherItSupports(given: Given): string[] {
  const { plugin, setting } = given
  const nodes = NODES.map((fields) => ({ instance_info: fields, driver_info: fields, properties: fields }))
  return [setting?.node ?? {}, ...nodes].flatMap((node) => {
    const { task, calls } = createTaskOnPaper({ options: plugin.options, node })
    const given = (): unknown => {
      try {
        return plugin.supports ? plugin.supports(task.node) : true
      } catch (error) {
        return `an error (${messageOf(error)})`
      }
    }
    const answers = [given(), given()]
    const isRight = typeof answers[0] === 'boolean' && answers[0] === answers[1] && calls.length === 0
    return isRight ? [] : [`supports gives ${answers.map(String).join(', then ')} for ${JSON.stringify(node)}`]
  })
}

/** By its defaults. */
export function namesItsChoices({ plugin }: Given): string[] {
  if (!plugin.switchesTo) return []
  const { task } = createTaskOnPaper({ options: plugin.options })
  const names: unknown = plugin.switchesTo(task.options)
  const isList = Array.isArray(names) && names.length > 0 && names.every((name) => typeof name === 'string')
  return isList && !names.includes(plugin.name)
    ? []
    : [`switchesTo gives ${JSON.stringify(names)}, and names of other deploy interfaces are expected`]
}

type List = { of: string; steps: readonly Step[] }
const listsOf = ({ plugin }: Given): readonly List[] => {
  const { kit } = createKitOnPaper()
  const cleanSteps = plugin.cleanSteps?.(kit, {})
  const serviceSteps = plugin.serviceSteps?.(kit, {})
  return [
    { of: 'deploySteps', steps: plugin.deploySteps(kit) },
    ...(cleanSteps ? [{ of: 'cleanSteps', steps: cleanSteps }] : []),
    ...(serviceSteps ? [{ of: 'serviceSteps', steps: serviceSteps }] : []),
  ]
}
const shapeOf = ({ step, priority, argsInfo, again, resume }: Step) => ({
  ...{ step, priority, argsInfo, again },
  resumes: resume !== undefined,
})

export function describesTheSame(given: Given): string[] {
  const [lists, again] = [listsOf(given), listsOf(given)]
  return lists.flatMap(({ of, steps }, index) => {
    const [first, second] = [steps.map(shapeOf), again[index]?.steps.map(shapeOf)]
    if (isDeepStrictEqual(first, second)) return []
    return [`${of} gives ${JSON.stringify(first)}, and the second time ${JSON.stringify(second)}`]
  })
}

export const namesItsSteps = (given: Given): string[] =>
  listsOf(given).flatMap((list) => namesOf(list, given.plugin.switchesTo !== undefined))

function namesOf({ of, steps }: List, chooses: boolean): string[] {
  const names = steps.map(({ step }) => step)
  const twice = new Set(names.filter((name, index) => names.indexOf(name) !== index))
  return [
    ...(names.length > 0 || of !== 'deploySteps' || chooses
      ? []
      : ['deploySteps gives no step, so a deploy would do nothing']),
    ...names
      .filter((name) => !SNAKE_CASE.test(String(name)))
      .map((name) => `step ${JSON.stringify(name)}: its name is not snake_case`),
    ...[...twice].map((name) => `step ${name}: there are two of this name`),
  ]
}

/** Two steps of one priority would run in an order that nobody wrote down. */
export const ordersItsSteps = (given: Given): string[] => listsOf(given).flatMap(({ steps }) => orderOf(steps))

function orderOf(steps: readonly Step[]): string[] {
  return steps.flatMap(({ step, priority }, index) => {
    if (!Number.isInteger(priority) || priority < 0 || priority > PRIORITY_LIMIT) {
      return [`step ${step}: its priority is ${priority}, and a whole number from 0 to ${PRIORITY_LIMIT} is expected`]
    }
    const other = steps.slice(0, index).find((before) => priority > 0 && before.priority === priority)
    return other ? [`step ${step}: its priority is ${priority}, and so is that of ${other.step}`] : []
  })
}

export function shapesItsSteps(given: Given): string[] {
  const steps = listsOf(given).flatMap((list) => list.steps)
  return steps.flatMap((step) => {
    const wrong = (what: string) => [`step ${step.step}: ${what}`]
    return [
      ...(typeof step.run === 'function' ? [] : wrong('run is no function')),
      ...(step.resume === undefined || typeof step.resume === 'function' ? [] : wrong('resume is no function')),
      ...(step.again === undefined || typeof step.again === 'boolean' ? [] : wrong('again is neither true nor false')),
      ...(step.abortable === undefined || typeof step.abortable === 'boolean'
        ? []
        : wrong('abortable is neither true nor false')),
      ...Object.entries(step.argsInfo ?? {}).flatMap(([name, info]) => [
        ...(SNAKE_CASE.test(name) ? [] : wrong(`the name of its argument ${name} is not snake_case`)),
        ...(SENTENCE.test(String(info?.description))
          ? []
          : wrong(`its argument ${name} has no sentence as description`)),
      ]),
    ]
  })
}

export function explainsItsOptions({ plugin }: Given): string[] {
  return Object.entries(plugin.options).flatMap(([name, option]) => {
    const wrong = (what: string) => [`option ${name}: ${what}`]
    return [
      ...(SNAKE_CASE.test(name) ? [] : wrong('its name is not snake_case')),
      ...(SENTENCE.test(option.help) ? [] : wrong(`its help ${JSON.stringify(option.help)} is no sentence`)),
      ...(isPerNode(option.perNode) ? [] : wrong('perNode names other fields than driver_info and instance_info')),
      ...defaultProblem(option).flatMap(wrong),
    ]
  })
}

const isPerNode = (fields: readonly string[] = []) =>
  fields.every((field) => field === 'driver_info' || field === 'instance_info')

function defaultProblem(option: Option): string[] {
  if (option.type === 'string' && option.choices && option.default !== undefined) {
    const { choices, default: value } = option
    return choices.includes(value) ? [] : [`its default ${JSON.stringify(value)} is none of ${choices.join(', ')}`]
  }
  if (option.type === 'integer' && option.default !== undefined) {
    const { default: value, min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = option
    return value >= min && value <= max ? [] : [`its default ${value} is not from ${min} to ${max}`]
  }
  return []
}

export function explainsItsProperties({ plugin }: Given): string[] {
  return Object.entries(plugin.properties ?? {}).flatMap(([name, text]) => [
    ...(SNAKE_CASE.test(name) ? [] : [`property ${name}: its name is not snake_case`]),
    ...(SENTENCE.test(text) ? [] : [`property ${name}: its text ${JSON.stringify(text)} is no sentence`]),
  ])
}
